/**
 * Builds the vector index of a library that is too small to have one by itself. Arguments: library folder, failpoint (may be missing).
 */

import { openLibrary } from '../../dist/index/store/sqlite-library.js';
import { armFailpoint, parseFailpoint } from '../../dist/src/failpoint.js';

const [directory, failpoint] = process.argv.slice(2);
if (failpoint) armFailpoint(parseFailpoint(failpoint));
const library = openLibrary(directory, { graphFromRows: 10 });
await library.rebuildIndex();
await library.close();
