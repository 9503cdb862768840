/** Builds `dist/`: compiles TypeScript and copies what the compiler leaves behind (the page, what the demo shows, the small model). */

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../', import.meta.url));
const compiler = path.join(path.dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');

const { status } = spawnSync(process.execPath, [compiler, '-p', path.join(root, 'tsconfig.build.json')], {
  stdio: 'inherit',
});
copyAssets('api/page', ['.html', '.css', '.js', '.svg']);
copyAssets('src/demo', ['.vtt', '.mp4', '.json']);
copyAssets('fixtures/models/nano/weights', ['.json', '.safetensors', '.md'], 'src/nano');
const entry = path.join(root, 'dist/src/cli/main.js');
if (existsSync(entry)) chmodSync(entry, 0o755);
process.exitCode = status ?? 1;

/** @param {string} folder @param {string[]} extensions @param {string} [into] folder below dist/ */
function copyAssets(folder, extensions, into = folder) {
  const source = path.join(root, folder);
  if (!existsSync(source)) return;
  const target = path.join(root, 'dist', into);
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(source)) {
    if (extensions.includes(path.extname(name))) cpSync(path.join(source, name), path.join(target, name));
  }
}
