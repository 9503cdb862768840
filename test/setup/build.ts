/** Compiles `dist/` once before the suite: worker threads and spawned processes run what ships, not a transpiled copy. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export default function build(): void {
  const { status } = spawnSync(process.execPath, ['scripts/build.js'], {
    cwd: fileURLToPath(new URL('../../', import.meta.url)),
    stdio: 'inherit',
  });
  // While something is being written types may be broken elsewhere; the compiler emits all the same.
  if (status !== 0 && process.env.CI) throw new Error('dist/ was not built; see the compiler output above.');
}
