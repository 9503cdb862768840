/** A bucket as people watch it: from the command line, and beside the server. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { renderClip } from '../../fixtures/clips/render.js';
import { BUCKET, Bucket, KEY } from '../ingest/objects/bucket.js';
import { longwatch, PROGRAM } from './run.js';

let bucket: Bucket;
let folder: string;
let film: string;
let common: string[];
let env: Record<string, string>;

beforeAll(async () => {
  bucket = await new Bucket().open();
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-watch-bucket-'));
  const pts = Array.from({ length: 20 }, (_, frame) => frame * 500);
  const clip = await renderClip({ name: 'ten-s', container: 'mkv', timeBase: { num: 1, den: 1000 }, pts });
  film = await bucket.put('yard/monday film.mkv', readFileSync(clip));
  await bucket.put('yard/notes.txt', Buffer.from('no film'));
  writeFileSync(path.join(folder, 'settings.json'), JSON.stringify({ meaning: false, model: 'none', profile: 'fast' }));
  common = ['--library', path.join(folder, 'library'), '--config', path.join(folder, 'settings.json')];
  env = {
    AWS_ENDPOINT_URL_S3: bucket.endpoint,
    AWS_ACCESS_KEY_ID: KEY.accessKeyId,
    AWS_SECRET_ACCESS_KEY: KEY.secretAccessKey,
  };
});
afterAll(() => bucket.close());

it('longwatch watch --once reads what lies below a prefix, and leaves with a failure when it is refused', async () => {
  const args = ['watch', '--once', '--json', '--tag', 'yard', `s3://${BUCKET}/yard`, ...common];
  const first = await longwatch(args, { env });
  expect([first.exit, first.stderr]).toEqual([0, '0 known, 1 read, 0 failed, 0 not complete yet.\n']);
  expect(JSON.parse(first.stdout)).toMatchObject({
    videos: [{ path: film, outcome: 'ingested', video: { title: 'monday film', tags: ['yard'], state: 'ready' } }],
    unlisted: [],
  });
  const refused = await longwatch(args, {
    env: { ...env, AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'secret-4711' },
  });
  expect([refused.exit, refused.stderr]).toEqual([1, expect.stringContaining('[unreadable_file]\n  Check the key')]);
  expect(JSON.parse(refused.stdout)).toMatchObject({
    unlisted: [{ place: `s3://${BUCKET}/yard`, error: { code: 'unreadable_file' } }],
  });
  expect(refused.stdout + refused.stderr).not.toContain('4711');
});

it('longwatch serve --watch keeps a bucket in the library, and says how it stands', async () => {
  const args = ['serve', '--port', '0', '--watch', `s3://${BUCKET}/yard`, ...common];
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { ...process.env, ...env },
  });
  const ended = new Promise((resolve) => child.on('exit', (code, signal) => resolve(code ?? signal)));
  try {
    let url = '';
    for await (const line of createInterface({ input: child.stdout })) {
      url = /http:\/\/\S+/.exec(line)?.[0] ?? '';
      break;
    }
    const folders = async () => ((await (await fetch(`${url}/v1/folders`)).json()) as { folders: unknown[] }).folders;
    await expect
      .poll(folders)
      .toMatchObject([{ place: `s3://${BUCKET}/yard`, kind: 'bucket', state: 'listed', videos: 1, failures: 0 }]);
    const list = await (await fetch(`${url}/v1/videos`)).json();
    expect(list).toMatchObject({ items: [{ path: film, state: 'ready' }] });
  } finally {
    child.kill('SIGTERM');
  }
  expect(await ended).toBe(0);
});
