/** Pulling where there is no room. */

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { large, REPO, small, usePullCase } from './pull-case.js';

const the = usePullCase();

const WEIGHTS = 'model.safetensors';
const SIZE = 400_000;
const plenty = async () => 1e12;

beforeEach(() => {
  the.hub.put(REPO, { 'config.json': small('{}'), [WEIGHTS]: large('weights', SIZE) });
});

describe('a disk without room', () => {
  it('is noticed before anything is fetched, with the numbers', async () => {
    await expect(the.pull({ freeBytes: async () => 1_500_000 })).rejects.toMatchObject({
      code: 'disk_full',
      message: expect.stringMatching(/needs 400002 more bytes .*1500000 bytes \(1\.5 MB\) are free/),
    });
    expect(the.hub.downloads(WEIGHTS)).toEqual([]);
    expect(existsSync(the.directory)).toBe(false);
  });

  it('is not expected to hold again what is there', async () => {
    the.hub.fault = ({ server }) => (server === 'cdn' ? { cutAfter: 300_000, chunked: true } : undefined);
    const once = { attempts: 1, firstWaitMs: 1, longestWaitMs: 1 };
    await expect(the.pull({ retry: once })).rejects.toMatchObject({ code: 'download_failed' });
    await expect(the.pull({ freeBytes: async () => 0 })).rejects.toMatchObject({
      message: expect.stringContaining('needs 100000 more bytes'),
    });
  });

  it('asks the file system itself', async () => {
    the.hub.listing = (entries) => entries.map((entry) => ({ ...(entry as object), ...hugeWeights(entry) }));
    await expect(the.pull()).rejects.toMatchObject({ code: 'disk_full' });
    expect(the.hub.downloads(WEIGHTS)).toEqual([]);
  });

  it('in the middle of a file: what came is kept, and the pull goes on when there is room', async () => {
    const outcome = await pullWithin(200);
    expect(outcome).toMatchObject({ code: 'disk_full', hint: expect.stringContaining('kept') });
    expect(outcome.message).toContain(`of the ${SIZE} bytes of ${WEIGHTS}`);
    const partial = the.names().find((name) => name.endsWith('.partial')) ?? '';
    expect(statSync(path.join(the.directory, partial)).size).toBe(200 * 1024);
    await the.pull();
    expect(the.names()).toEqual(['config.json', WEIGHTS, 'pulled.json']);
  });

  it.skipIf(!canMount())('in the middle of a file, on a file system that is really full', async () => {
    mkdirSync(the.directory, { recursive: true });
    mount('size=300k');
    try {
      await expect(the.pull({ freeBytes: plenty })).rejects.toMatchObject({
        code: 'disk_full',
        message: expect.stringContaining(WEIGHTS),
      });
      expect(the.names()).not.toContain('.pull.lock');
      mount('remount,size=2m');
      await the.pull({ freeBytes: plenty });
      expect(the.names()).toEqual(['config.json', WEIGHTS, 'pulled.json']);
      expect(the.hub.downloads(WEIGHTS)[1]?.range).toMatch(/^bytes=[1-9]\d+-$/);
    } finally {
      spawnSync('umount', [the.directory]);
    }
  });
});

/** More than the disk of any machine that runs this, less than what is refused as absurd. */
function hugeWeights(entry: unknown): object {
  return (entry as { path: string }).path === WEIGHTS ? { size: 2 ** 40 - 1000 } : {};
}

/** A pull in a process that may write no file larger than this, as `ulimit -f` sets it: writes fail in the middle, as on a full disk. */
function pullWithin(kibibytes: number): Promise<{ code?: string; message: string; hint?: string }> {
  const module = pathToFileURL(path.resolve('dist/src/weights/pull.js')).href;
  const options = JSON.stringify({ directory: the.directory, endpoint: the.hub.endpoint });
  const script = `import { pullCheckpoint } from ${JSON.stringify(module)};
    const { code, message, hint } = await pullCheckpoint('${REPO}', { ...${options}, acceptLicence: true }).catch((error) => error);
    console.log(JSON.stringify({ code, message, hint }));`;
  const command = `ulimit -f ${kibibytes} && exec "$0" --input-type=module -e "$1"`;
  const child = spawn('bash', ['-c', command, process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (text) => {
    output += text;
  });
  return new Promise((done, fail) => {
    child.once('close', () => {
      try {
        done(JSON.parse(output));
      } catch (error) {
        fail(error);
      }
    });
  });
}

/** Only root may mount; `ulimit` above tests the same path for everyone. */
function canMount(): boolean {
  if (process.getuid?.() !== 0) return false;
  const probe = path.join(process.cwd(), 'node_modules', '.longwatch-mount-probe');
  mkdirSync(probe, { recursive: true });
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', probe]).status === 0;
  if (mounted) spawnSync('umount', [probe]);
  rmSync(probe, { recursive: true, force: true });
  return mounted;
}

function mount(options: string): void {
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', the.directory]);
  if (status !== 0) throw new Error(`mount -o ${options} failed`);
}
