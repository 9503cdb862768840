/** The version of this package, from its own package.json. */

import { readFileSync } from 'node:fs';

export const VERSION: string = readVersion();

function readVersion(): string {
  // From the sources the file lies one folder up, from `dist/` two.
  for (const relative of ['../package.json', '../../package.json']) {
    try {
      const { name, version } = JSON.parse(readFileSync(new URL(relative, import.meta.url), 'utf8'));
      if (name === 'longwatch') return version;
    } catch {}
  }
  return '0.0.0';
}
