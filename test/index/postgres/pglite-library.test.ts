/** The contract suite on PGlite with pgvector: vectors are searched in the database. */

import { libraryContract } from '../contract/library.js';
import { postgresHouse } from './houses.js';
import { startPglite } from './pglite.js';

libraryContract(postgresHouse(startPglite));
