import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { plainName } from '../../api/upload-folder.js';
import { type Harness, MEDIA_BYTES, openHarness } from './harness.js';

const PIECE = 'application/offset+octet-stream';
let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

const folder = () => path.join(harness.library.directory, 'uploads');

async function begin(name = 'film.mp4', size = MEDIA_BYTES.length): Promise<string> {
  const { status, headers } = await harness.send('POST', '/v1/uploads', { name, size_bytes: size });
  expect(status).toBe(201);
  return headers.get('location') ?? '';
}

function piece(address: string, offset: number | string, bytes: BodyInit, type = PIECE) {
  const headers = { 'content-type': type, 'upload-offset': String(offset) };
  return harness.get(address, { method: 'PATCH', headers, body: bytes, duplex: 'half' } as RequestInit);
}

describe('an upload', () => {
  it('comes in pieces, goes on where it broke off, and becomes a file and a job', async () => {
    const address = await begin();
    expect((await piece(address, 0, MEDIA_BYTES.slice(0, 300))).body).toMatchObject({ offset_bytes: 300 });
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(MEDIA_BYTES.slice(300, 500));
      },
      pull(controller) {
        controller.error(new Error('gone'));
      },
    });
    expect((await piece(address, 300, broken)).status).toBe(400);
    const { body, headers } = await harness.get(address);
    expect(body).toMatchObject({ name: 'film.mp4', size_bytes: 1000, offset_bytes: 500 });
    expect(headers.get('upload-offset')).toBe('500');
    const last = await piece(address, 500, MEDIA_BYTES.slice(500));
    const { job_id } = last.body as { job_id: string };
    expect(last.body).toMatchObject({ offset_bytes: 1000 });
    expect(new Uint8Array(readFileSync(path.join(folder(), 'film.mp4')))).toEqual(MEDIA_BYTES);
    expect((await harness.jobs.get(job_id))?.path).toBe(path.join(folder(), 'film.mp4'));
    // The answer may have been lost; the same piece again changes nothing.
    expect((await piece(address, 500, MEDIA_BYTES.slice(500))).body).toMatchObject({ job_id, offset_bytes: 1000 });
  });

  it('survives the process', async () => {
    const address = await begin();
    await piece(address, 0, MEDIA_BYTES.slice(0, 10));
    const { createApp } = await import('../../api/app.js');
    const again = await createApp(harness.parts).request(address);
    expect(await again.json()).toMatchObject({ offset_bytes: 10 });
  });

  it('never writes over a file', async () => {
    for (const name of ['film.mp4', 'film (2).mp4', 'film (3).mp4']) {
      await piece(await begin(), 0, MEDIA_BYTES);
      expect(existsSync(path.join(folder(), name))).toBe(true);
    }
  });

  it('says where it goes on when a piece begins elsewhere', async () => {
    const address = await begin();
    await piece(address, 0, MEDIA_BYTES.slice(0, 10));
    const { status, body } = await piece(address, 20, MEDIA_BYTES.slice(20));
    expect([status, (body as { code: string }).code]).toEqual([409, 'conflict']);
  });

  it('refuses more than was said, another kind of body, a size that no disk has, and what is no upload', async () => {
    const address = await begin('film.mp4', 999);
    expect((await piece(address, 0, MEDIA_BYTES)).status).toBe(413);
    expect((await piece(address, 0, 'x', 'text/plain')).status).toBe(415);
    expect(await harness.send('POST', '/v1/uploads', { name: 'a', size_bytes: 2 ** 50 })).toMatchObject({
      status: 413,
      body: { pointer: '/size_bytes' },
    });
    expect((await harness.send('POST', '/v1/uploads', { name: 'a', size_bytes: 0 })).status).toBe(422);
    for (const offset of ['', ' ', '-1', '1.5', '1e1'])
      expect([offset, (await piece(address, offset, 'x')).status]).toEqual([offset, 422]);
    expect((await harness.get('/v1/uploads/..%2f..%2flibrary')).status).toBe(404);
  });

  it('leaves nothing when it is thrown away', async () => {
    const address = await begin();
    await piece(address, 0, MEDIA_BYTES.slice(0, 10));
    expect((await harness.get(address, { method: 'DELETE' })).status).toBe(204);
    expect((await harness.get(address)).status).toBe(404);
    expect(readdirSync(path.join(folder(), '.incoming'))).toEqual([]);
  });
});

describe('the name of an uploaded file', () => {
  it.each([
    ['../../etc/passwd', 'passwd'],
    ['C:\\films\\a.mp4', 'a.mp4'],
    ['.hidden.mp4', 'hidden.mp4'],
    ['-rf.mp4', 'rf.mp4'],
    ['a\0b\u202e:c.mp4', 'a_b__c.mp4'],
    ['  ', 'video'],
    ['..', 'video'],
    ['con.mp4', '_con.mp4'],
    ['Ümlaut – 日本.mkv', 'Ümlaut – 日本.mkv'],
  ])('of %j is %j', (given, name) => {
    expect(plainName(given)).toBe(name);
  });

  it('is never longer than a file system takes', () => {
    const name = plainName(`${'日'.repeat(300)}.mp4`);
    expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200);
    expect(name).toMatch(/日\.mp4$/);
  });
});
