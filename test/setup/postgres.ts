/** Where the tests' PostgreSQL server lies, for all test files of a run: the first that needs it starts it, the end of the run stops it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { stopCluster } from '../index/postgres/cluster.js';

declare module 'vitest' {
  export interface ProvidedContext {
    readonly postgresFolder: string;
  }
}

export default function postgres(project: TestProject): () => void {
  const folder = mkdtempSync(join(tmpdir(), 'longwatch-pg-'));
  project.provide('postgresFolder', folder);
  return () => {
    stopCluster(folder);
    rmSync(folder, { recursive: true, force: true });
  };
}
