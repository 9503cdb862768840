/** Every schema step in order. The last one's version is what this program writes and the newest that it reads. */

import { durableJobs } from './durable-jobs.js';
import { firstSchema } from './first-schema.js';
import { layers } from './layers.js';
import type { Migration } from './migration.js';
import { scale } from './scale.js';
import { sharedWindows } from './shared-windows.js';
import { sharedWork } from './shared-work.js';
import { standingQueries } from './standing-queries.js';
import { summaries } from './summaries.js';
import { tagsAndMakings } from './tags-and-makings.js';

export const MIGRATIONS: readonly Migration[] = [
  firstSchema,
  summaries,
  layers,
  durableJobs,
  standingQueries,
  tagsAndMakings,
  scale,
  sharedWork,
  sharedWindows,
];

export const SCHEMA_VERSION = MIGRATIONS.at(-1)?.version ?? 0;
