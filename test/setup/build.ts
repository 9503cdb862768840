/** Compiles `dist/` once before the suite: worker threads and spawned processes run what ships, not a transpiled copy. */

import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function build(): void {
  execFileSync(process.execPath, ['scripts/build.js'], { cwd: fileURLToPath(new URL('../../', import.meta.url)), stdio: 'inherit' });
}
