/** Pulling a whole checkpoint from a hub on local ports. */

import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Licence } from '../../../src/weights/licence.js';
import type { PullProgress } from '../../../src/weights/progress.js';
import { readPulledRecord, verifyPulled } from '../../../src/weights/pulled-record.js';
import { gitBlobSha1, sha256 } from './fake-hub.js';
import { bytesOf, large, REPO, SHARD_1, SHARD_2, small, tinyCheckpoint, usePullCase, WANTED } from './pull-case.js';

const the = usePullCase();
const TOTAL_BYTES = WANTED.reduce((sum, name) => sum + (tinyCheckpoint()[name]?.bytes.length ?? 0), 0);

describe('a pull', () => {
  it('fetches what a checkpoint needs, byte for byte, and nothing else', async () => {
    await the.pull();
    expect(the.names()).toEqual([...WANTED, 'pulled.json'].sort());
    for (const name of WANTED) expect(the.read(name).equals(tinyCheckpoint()[name]?.bytes ?? Buffer.of())).toBe(true);
  });

  it('writes down which commit every file comes from, and its hash', async () => {
    const { sha } = the.hub.put(REPO, tinyCheckpoint());
    const pulled = await the.pull();
    expect(pulled).toMatchObject({ repo: REPO, revision: 'main', commit: sha, endpoint: the.hub.endpoint });
    expect(pulled).toMatchObject({ alreadyThere: false, directory: the.directory, licence: { id: 'apache-2.0' } });
    const hashes = new Map(pulled.files.map(({ name, hash }) => [name, hash]));
    expect(hashes.get(SHARD_1)).toBe(`sha256:${sha256(bytesOf('shard 1', 100_000))}`);
    expect(hashes.get('config.json')).toBe(`git-sha1:${gitBlobSha1(Buffer.from('{"model_type":"qwen2_5_vl"}'))}`);
    expect(await readPulledRecord(the.directory)).toMatchObject({ commit: sha, files: pulled.files });
  });

  it('asks for bytes as they are, since ranges and sizes count those', async () => {
    await the.pull();
    expect(new Set(the.hub.requests.map(({ acceptEncoding }) => acceptEncoding))).toEqual(new Set(['identity']));
  });

  it('reads lists of files that come in pages, also when they name another host', async () => {
    the.hub.pageSize = 2;
    await the.pull();
    expect(the.names()).toEqual([...WANTED, 'pulled.json'].sort());
    expect(the.hub.requests.filter(({ path }) => path.includes('/tree/'))).toHaveLength(6);
  });

  it('takes one file of weights where there is no index', async () => {
    the.hub.put(REPO, { 'config.json': small('{}'), 'model.safetensors': large('single', 777) });
    await the.pull();
    expect(the.names()).toEqual(['config.json', 'model.safetensors', 'pulled.json']);
  });

  it('takes a commit that is no longer the newest when it is named', async () => {
    const old = the.hub.put(REPO, tinyCheckpoint()).sha;
    the.hub.put(REPO, { ...tinyCheckpoint(), [SHARD_1]: large('newer', 90_000) });
    const pulled = await the.pull({}, `${REPO}@${old}`);
    expect(pulled).toMatchObject({ revision: old, commit: old });
    expect(the.read(SHARD_1).equals(bytesOf('shard 1', 100_000))).toBe(true);
  });

  it('fetches nothing when the checkpoint is complete already', async () => {
    const { files } = await the.pull();
    the.hub.requests.length = 0;
    expect(await the.pull()).toMatchObject({ alreadyThere: true, files });
    expect(the.hub.requests.map(({ path }) => path)).toEqual([`/api/models/${REPO}/revision/main`]);
  });

  it('fetches again only what is missing or damaged in a folder that was complete', async () => {
    await the.pull();
    rmSync(path.join(the.directory, 'config.json'));
    truncateSync(path.join(the.directory, SHARD_2), 500);
    const tokenizer = the.read('tokenizer.json');
    tokenizer[9] = (tokenizer[9] ?? 0) ^ 1;
    writeFileSync(path.join(the.directory, 'tokenizer.json'), tokenizer);
    the.hub.requests.length = 0;
    await the.pull();
    expect(await verifyPulled(the.directory)).toEqual([]);
    expect(the.hub.downloads(SHARD_1)).toEqual([]);
    expect(the.hub.downloads(SHARD_2)).toHaveLength(1);
    expect(the.hub.downloads('tokenizer.json')).toHaveLength(1);
  });

  it('reports bytes and files up to the whole', async () => {
    const reports: PullProgress[] = [];
    await the.pull({ onProgress: (progress) => reports.push(progress) });
    expect(reports.at(-1)).toMatchObject({
      doneBytes: TOTAL_BYTES,
      totalBytes: TOTAL_BYTES,
      doneFiles: WANTED.length,
      totalFiles: WANTED.length,
      etaSeconds: 0,
    });
    const bytes = reports.map(({ doneBytes }) => doneBytes);
    expect(bytes).toEqual([...bytes].sort((a, b) => a - b));
  });

  it('lets the caller look at config.json before any weights are fetched', async () => {
    const seen: unknown[] = [];
    const stop = (config: unknown) => {
      seen.push(config);
      throw new Error('not this one');
    };
    await expect(the.pull({ checkConfig: stop })).rejects.toMatchObject({ message: 'not this one' });
    expect(seen).toEqual([{ model_type: 'qwen2_5_vl' }]);
    expect(the.hub.downloads(SHARD_1)).toEqual([]);
    expect(existsSync(the.directory)).toBe(false);
  });

  it('works below a path of a mirror', async () => {
    await expect(the.pull({ endpoint: `${the.hub.endpoint}/mirror` })).rejects.toMatchObject({ code: 'not_found' });
    expect(the.hub.requests[0]?.path).toBe(`/mirror/api/models/${REPO}/revision/main`);
  });
});

describe('the folder', () => {
  it('of another checkpoint is left alone', async () => {
    await the.pull();
    the.hub.put('somebody/other', tinyCheckpoint(), { license: 'mit' });
    await expect(the.pull({}, 'somebody/other')).rejects.toMatchObject({ code: 'conflict' });
    expect(await verifyPulled(the.directory)).toEqual([]);
  });

  it('that is complete is not turned into another commit', async () => {
    const { commit } = await the.pull();
    const { sha } = the.hub.put(REPO, { ...tinyCheckpoint(), [SHARD_1]: large('newer', 90_000) });
    await expect(the.pull()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(new RegExp(`${commit}.*${sha}`)),
    });
    expect(await readPulledRecord(the.directory)).toMatchObject({ commit });
  });

  it('with files of a person is left alone', async () => {
    mkdirSync(the.directory);
    writeFileSync(path.join(the.directory, 'config.json'), 'mine');
    await expect(the.pull()).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('config.json'),
    });
    expect(the.names()).toEqual(['config.json']);
    expect(the.read('config.json').toString()).toBe('mine');
  });

  it('tells which files are not as they were pulled', async () => {
    await the.pull();
    rmSync(path.join(the.directory, 'README.md'));
    truncateSync(path.join(the.directory, SHARD_1), 99_999);
    const shard = the.read(SHARD_2);
    shard[40_000] = (shard[40_000] ?? 0) ^ 1;
    writeFileSync(path.join(the.directory, SHARD_2), shard);
    expect(await verifyPulled(the.directory)).toEqual([
      { name: 'README.md', fault: 'missing' },
      { name: SHARD_1, fault: 'wrong size' },
      { name: SHARD_2, fault: 'wrong content' },
    ]);
  });

  it('without pulled.json is not complete', async () => {
    await the.pull();
    rmSync(path.join(the.directory, 'pulled.json'));
    await expect(verifyPulled(the.directory)).rejects.toMatchObject({ code: 'file_not_found' });
  });
});

describe('the licence', () => {
  const THREE = 'Qwen/Qwen2.5-VL-3B-Instruct';
  const put3B = () => the.hub.put(THREE, tinyCheckpoint(), { license: 'other', license_name: 'qwen-research' });

  it('of the 3B checkpoint is refused unless it is accepted, before anything is fetched', async () => {
    put3B();
    await expect(the.pull({}, 'qwen2.5-vl-3b')).rejects.toMatchObject({
      code: 'licence_not_accepted',
      status: 403,
      message: expect.stringMatching(/Qwen Research License.*Non-commercial/),
    });
    expect(the.hub.requests).toHaveLength(1);
    expect(existsSync(the.directory)).toBe(false);
  });

  it('is accepted by a flag', async () => {
    put3B();
    const pulled = await the.pull({ acceptLicence: true }, 'qwen2.5-vl-3b');
    expect(pulled).toMatchObject({ repo: THREE, licence: { id: 'qwen-research', commercialUse: false } });
  });

  it('is shown, and asked about only where it must be accepted', async () => {
    const shown: string[] = [];
    const asked: string[] = [];
    const options = {
      onLicence: ({ name }: Licence) => shown.push(name),
      acceptLicence: async ({ name }: Licence) => asked.push(name) < 0,
    };
    await the.pull(options);
    put3B();
    await expect(the.pull(options, THREE)).rejects.toMatchObject({ code: 'licence_not_accepted' });
    expect(shown).toEqual(['Apache License 2.0', 'Qwen Research License Agreement']);
    expect(asked).toEqual(['Qwen Research License Agreement']);
  });
});

describe('a token', () => {
  const TOKEN = 'hf_secret-token';

  it('goes to the endpoint and not to where it redirects', async () => {
    Object.assign(the.hub.put(REPO, tinyCheckpoint()), { token: TOKEN });
    await the.pull({ token: TOKEN });
    const sent = (server: 'hub' | 'cdn') =>
      new Set(
        the.hub.requests.filter((request) => request.server === server).map(({ authorization }) => authorization),
      );
    expect(sent('hub')).toEqual(new Set([`Bearer ${TOKEN}`]));
    expect(sent('cdn')).toEqual(new Set([undefined]));
    expect(readFileSync(path.join(the.directory, 'pulled.json'), 'utf8')).not.toContain(TOKEN);
  });

  it('that is not one is refused without being repeated', async () => {
    const error = await the.pull({ token: `${TOKEN}\nx-evil: 1` }).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_input' });
    expect(`${error.message}${error.hint}${error.stack}`).not.toContain(TOKEN);
  });

  it('is not sent over plain http to another machine', async () => {
    const options = { token: TOKEN, endpoint: 'http://hub.invalid' };
    await expect(the.pull(options)).rejects.toMatchObject({ code: 'invalid_input' });
  });
});

describe('a hostile repository', () => {
  it.each(['../escape.json', '/etc/passwd', 'a/../../b', 'a\\b', 'C:evil', 'a//b', 'nul\0'])(
    'with the file name %j is refused',
    async (path) => {
      the.hub.listing = (entries) => [...entries, { ...(entries[0] as object), path }];
      await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights', hint: 'Do not use this repository.' });
      expect(existsSync(the.directory)).toBe(false);
    },
  );

  it.each(['../model.safetensors', 'sub/model.safetensors', 'weights.bin', '.safetensors', 7])(
    'whose index names %j is refused',
    async (name) => {
      const index = small(JSON.stringify({ weight_map: { a: name } }));
      const files = { ...tinyCheckpoint(), 'model.safetensors.index.json': index };
      // It is there, so that nothing but its name speaks against it.
      the.hub.put(REPO, String(name).startsWith('..') ? files : { ...files, [name]: large('named', 100) });
      await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights' });
      expect(existsSync(the.directory)).toBe(false);
    },
  );

  it('with an index of names that differ in case only is refused', async () => {
    const index = small(JSON.stringify({ weight_map: { a: 'Model.safetensors', b: 'model.safetensors' } }));
    the.hub.put(REPO, { ...tinyCheckpoint(), 'model.safetensors.index.json': index });
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights' });
  });

  it('without safetensors is refused', async () => {
    the.hub.put(REPO, { 'config.json': small('{}'), 'pytorch_model.bin': large('pickle', 100) });
    await expect(the.pull()).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringContaining('model.safetensors'),
    });
  });

  it('of absurd size is refused', async () => {
    the.hub.listing = (entries) => entries.map((entry) => ({ ...(entry as object), size: 2 ** 42 }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'bad_weights' });
    expect(existsSync(the.directory)).toBe(false);
  });

  it.each([{}, { oid: 'x' }, { lfs: { oid: 'short' } }, { size: -1 }])('that lists %j is refused', async (change) => {
    the.hub.listing = (entries) =>
      entries.map((entry) =>
        Object.keys(change).length ? { ...(entry as object), ...change } : { path: 'config.json' },
      );
    await expect(the.pull()).rejects.toMatchObject({ code: 'download_failed' });
  });

  it('whose list never ends is given up', async () => {
    the.hub.pageSize = 1;
    the.hub.listing = (entries) => Array.from({ length: 50 }, (_, i) => ({ ...(entries[0] as object), path: `f${i}` }));
    await expect(the.pull()).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('without end'),
    });
  });
});
