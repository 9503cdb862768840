/**
 * Sends what the OpenAPI document allows, and what it forbids, to a real server over a real film, and has schemathesis judge the answers:
 * no 5xx, no status, header or body that the document does not know, nothing forbidden taken and nothing allowed refused.
 *
 *   npm run fuzz:api -- [--python PATH] [--seconds N] [-- ARGUMENTS OF SCHEMATHESIS]
 *
 * PATH is a Python that has requirements.txt installed (default: $PYTHON, else python3). N bounds the run (default: 120). Not part of the test
 * suite, because it is random and long. What is right and looks wrong stands in schemathesis.toml.
 */

import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const program = path.join(root, 'dist/src/cli/main.js');
const { values, positionals } = parseArgs({
  options: { python: { type: 'string' }, seconds: { type: 'string', default: '120' } },
  allowPositionals: true,
});
const python = values.python ?? process.env.PYTHON ?? 'python3';

const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-fuzz-'));
const library = path.join(folder, 'library');
const token = randomBytes(16).toString('hex');
const config = path.join(folder, 'longwatch.json');
// A limit would answer most of what is sent.
writeFileSync(config, JSON.stringify({ library, token, rateLimit: false, roots: [folder], logLevel: 'error' }));
for (const name of ['big-buck-bunny.mp4', 'big-buck-bunny.en.vtt'])
  copyFileSync(path.join(root, 'src/demo', name), path.join(folder, name));

/** Starts the server and waits until it says where it is. */
async function serve() {
  const child = spawn(process.execPath, [program, 'serve', '--config', config, '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const url = /http:\/\/\S+/.exec(line)?.[0];
    if (url) return { child, url };
  }
  throw new Error('The server did not start.');
}

let failed = true;
try {
  execFileSync(process.execPath, [
    program,
    'ingest',
    path.join(folder, 'big-buck-bunny.mp4'),
    '--config',
    config,
    '--quiet',
  ]);
  const { child, url } = await serve();
  const fuzzer = spawn(
    python,
    [
      ...[
        '-m',
        'schemathesis.cli',
        '--config-file',
        path.join(root, 'scripts/fuzz/schemathesis.toml'),
        'run',
        `${url}/openapi.json`,
      ],
      ...['--header', `Authorization: Bearer ${token}`, '--max-time', values.seconds],
      // A job that was cancelled is remembered as cancelled, so it is still there after a DELETE.
      ...['--checks', 'all', '--exclude-checks', 'use_after_free'],
      // An estimate tries each layer for some seconds.
      ...['--request-timeout', '60', '--max-response-time', '60', '--continue-on-failure'],
      ...positionals,
    ],
    {
      stdio: 'inherit',
      cwd: folder,
      env: { ...process.env, SCHEMATHESIS_HOOKS: path.join(root, 'scripts/fuzz/hooks.py') },
    },
  );
  const [code] = await once(fuzzer, 'exit');
  child.kill('SIGTERM');
  const [ended] = await once(child, 'exit');
  if (ended !== 0) throw new Error(`The server ended with ${ended}.`);
  execFileSync(process.execPath, [program, 'check', '--config', config], { stdio: 'inherit' });
  failed = code !== 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failed ? 1 : 0;
