/** Every schema step in order. The last one's version is what this program writes and the newest that it reads. */

import type { Migration } from '../../store/migrations/migration.js';
import { firstSchema } from './first-schema.js';
import { freePoints } from './free-points.js';
import { sharedWindows } from './shared-windows.js';
import { sharedWork } from './shared-work.js';

export const MIGRATIONS: readonly Migration[] = [firstSchema, sharedWork, sharedWindows, freePoints];

export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.version ?? 0;
