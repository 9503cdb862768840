/** The one file that knows where the browser builds of `@ffmpeg/ffmpeg` and `@ffmpeg/core` lie: what the page cuts clips with. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

export interface Asset {
  /** Absolute path. */
  readonly file: string;
  readonly type: string;
  /** Changes when the package does. */
  readonly version: string;
}

const SCRIPT = 'text/javascript; charset=utf-8';
const WRAPPER = ['index.js', 'classes.js', 'const.js', 'errors.js', 'types.js', 'utils.js', 'worker.js'];

const require = createRequire(import.meta.url);

/** By address. Empty where a package is not installed: the page then lets the server cut. */
export function ffmpegAssets(): ReadonlyMap<string, Asset> {
  try {
    const wrapper = path.dirname(require.resolve('@ffmpeg/ffmpeg/worker'));
    const core = path.join(path.dirname(require.resolve('@ffmpeg/core')), '../esm');
    const versions = [
      versionOf(path.join(wrapper, '../../package.json')),
      versionOf(path.join(core, '../../package.json')),
    ];
    const [wrapperVersion = '', coreVersion = ''] = versions;
    return new Map([
      ...WRAPPER.map((name): [string, Asset] => [
        `/assets/ffmpeg/${name}`,
        { file: path.join(wrapper, name), type: SCRIPT, version: wrapperVersion },
      ]),
      ['/assets/ffmpeg/core.js', { file: path.join(core, 'ffmpeg-core.js'), type: SCRIPT, version: coreVersion }],
      [
        '/assets/ffmpeg/core.wasm',
        { file: path.join(core, 'ffmpeg-core.wasm'), type: 'application/wasm', version: coreVersion },
      ],
    ]);
  } catch {
    return new Map();
  }
}

function versionOf(manifest: string): string {
  const { name, version } = JSON.parse(readFileSync(manifest, 'utf8')) as { name: string; version: string };
  return `${name.split('/')[1]}-${version}`;
}
