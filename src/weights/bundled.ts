/** The checkpoint that comes with Longwatch: small, trained on the drawn world, of use for trying things out. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { LongwatchError } from '../errors.js';

/** What `longwatch models add` calls it. */
export const BUNDLED_NAME = 'nano';

/** Folder of the checkpoint. @throws {LongwatchError} `part_missing` when this copy of Longwatch came without it */
export function bundledCheckpoint(): string {
  // Beside the compiled sources, where the build puts it; from the sources, where the trainer puts it.
  for (const place of ['../nano/', '../../fixtures/models/nano/weights/']) {
    const folder = fileURLToPath(new URL(place, import.meta.url));
    if (existsSync(`${folder}config.json`)) return folder;
  }
  throw new LongwatchError('part_missing', 'The nano model is not part of this copy of Longwatch.', {
    hint: 'Install the package again, or give the folder of another checkpoint.',
  });
}
