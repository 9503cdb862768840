import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync, statSync, truncateSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startServer } from '../../api/server.js';
import type { JobWork } from '../../ingest/jobs/queue.js';
import { type Harness, MEDIA_BYTES, openHarness, VIDEO_ID } from './harness.js';

/** A sparse film of a size that no buffer between disk and client swallows. */
const LARGE_BYTES = 200 * 1024 * 1024;

/** Runs until it is told to go on. */
let steps: ((progress: number) => void)[];
const work: JobWork = async (_path, report, signal) => {
  for (let progress = 0.25; progress < 1; progress += 0.25) {
    await new Promise<void>((resolve, reject) => {
      steps.push(() => resolve());
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    report({ stage: 'decode', progress });
  }
  return { videoId: VIDEO_ID };
};

let harness: Harness;
let server: ApiServer;
beforeEach(async () => {
  steps = [];
  harness = openHarness({ work });
  server = await startServer(harness.parts, { port: 0 });
});
afterEach(async () => {
  await server.close(100);
  await harness.close();
});

const mediaAddress = () => `${server.url}/v1/videos/${VIDEO_ID}/media`;

/** Makes the film large and known as such. */
function growFilm(): string {
  const { id, path } = harness.addVideo();
  truncateSync(path, LARGE_BYTES);
  harness.library.updateVideo(id, { sizeBytes: LARGE_BYTES, modified: statSync(path).mtimeMs });
  return path;
}

/** Descriptors can be counted where the system lists them as files. */
const hasProc = existsSync('/proc/self/fd');

/** How many descriptors of this process are open on a file. */
function openDescriptors(file: string): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === file;
    } catch {
      return false;
    }
  }).length;
}

describe('the server', () => {
  it('does not open a port to other machines without a token', async () => {
    await expect(startServer(harness.parts, { host: '0.0.0.0', port: 0 })).rejects.toMatchObject({
      code: 'bad_config',
      hint: expect.stringContaining('Set a token'),
    });
  });

  it('says so when the port is taken', async () => {
    await expect(startServer(harness.parts, { port: server.port })).rejects.toMatchObject({
      code: 'bad_config',
      hint: expect.stringContaining('Another program uses the port'),
    });
  });

  it('refuses a host name that was rebound', async () => {
    const [response] = (await once(
      request(`${server.url}/v1/videos`, { headers: { host: 'evil.example' } }).end(),
      'response',
    )) as [IncomingMessage];
    expect(response.statusCode).toBe(403);
    response.resume();
  });

  it('survives what is not HTTP', async () => {
    const socket = connect(server.port, '127.0.0.1');
    socket.write('\u0000\u0001 nonsense\r\n\r\n');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(data.toString()).toMatch(/^HTTP\/1\.1 400 .*"code":"bad_request"/s);
    socket.destroy();
    expect((await fetch(`${server.url}/live`)).status).toBe(200);
  });
});

describe('a request whose head is too long', () => {
  it('is told so as a problem, also behind another one on the same connection', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const answerTo = async (address: string): Promise<{ status: number | undefined; body: string }> => {
      const [response] = (await once(request(`${server.url}${address}`, { agent }).end(), 'response')) as [
        IncomingMessage,
      ];
      return { status: response.statusCode, body: await text(response) };
    };
    expect((await answerTo('/live')).status).toBe(200);
    const { status, body } = await answerTo(`/v1/search?q=${'x'.repeat(17_000)}`);
    agent.destroy();
    expect([status, JSON.parse(body)]).toMatchObject([
      431,
      {
        type: 'urn:longwatch:problem:headers_too_large',
        code: 'headers_too_large',
        detail: 'The address and the headers together are longer than 16384 bytes.',
        hint: 'A long question goes into the body of a POST.',
      },
    ]);
  });
});

describe('a film over a real connection', () => {
  it('comes in ranges with lengths that hold', async () => {
    harness.addVideo();
    const response = await fetch(mediaAddress(), { headers: { range: 'bytes=100-299' } });
    expect([response.status, response.headers.get('content-range')]).toEqual([206, 'bytes 100-299/1000']);
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(MEDIA_BYTES.slice(100, 300));
    const head = await fetch(mediaAddress(), { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, '1000']);
  });

  it('waits for a slow client instead of filling the memory', async () => {
    growFilm();
    const before = process.memoryUsage().arrayBuffers;
    const [response] = (await once(request(mediaAddress()).end(), 'response')) as [IncomingMessage];
    // Nothing is read here, so what the server reads ahead would pile up.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024);
    response.destroy();
  });

  it.skipIf(!hasProc)('is closed when the client leaves in the middle', async () => {
    const file = growFilm();
    const [response] = (await once(request(mediaAddress()).end(), 'response')) as [IncomingMessage];
    await once(response, 'data');
    expect(openDescriptors(file)).toBe(1);
    response.destroy();
    await expect.poll(() => openDescriptors(file)).toBe(0);
  });

  it.skipIf(!hasProc)('is let go of when the server closes, after a time of grace', async () => {
    const file = growFilm();
    const [response] = (await once(request(mediaAddress()).end(), 'response')) as [IncomingMessage];
    const broken = once(response, 'error');
    await server.close(50);
    response.resume();
    await broken;
    await expect.poll(() => openDescriptors(file)).toBe(0);
  });

  it('is sent to its end when the server closes meanwhile', async () => {
    harness.addVideo();
    const [response] = (await once(request(mediaAddress()).end(), 'response')) as [IncomingMessage];
    const closed = server.close(10_000);
    const pieces: Buffer[] = [];
    for await (const piece of response) pieces.push(piece);
    expect(Buffer.concat(pieces)).toHaveLength(MEDIA_BYTES.length);
    await closed;
  });

  it.skipIf(!hasProc)('leaves no file open after answers without a body', async () => {
    const file = growFilm();
    for (const init of [{ method: 'HEAD' }, { headers: { range: 'bytes=999999999-' } }])
      await (await fetch(mediaAddress(), init)).text();
    expect(openDescriptors(file)).toBe(0);
  });
});

describe('the stream of job changes', () => {
  it('begins with the jobs as they stand and goes on with each change', async () => {
    const { id } = await harness.jobs.enqueue('/videos/a.mp4');
    await expect.poll(() => steps.length).toBe(1);
    const stream = await openStream();
    expect(await stream.next()).toMatchObject({ job: { id, state: 'running', progress: 0 } });
    steps[0]?.(0);
    expect(await stream.next()).toMatchObject({ job: { id, progress: 0.25, stage: 'decode' } });
    stream.close();
  });

  it('gives a client that comes back what it missed, and only that', async () => {
    await harness.jobs.enqueue('/videos/a.mp4');
    await expect.poll(() => steps.length).toBe(1);
    const first = await openStream();
    const { id } = await first.next();
    first.close();
    steps[0]?.(0);
    await expect.poll(() => steps.length).toBe(2);
    const again = await openStream({ 'last-event-id': id });
    expect(await again.next()).toMatchObject({ job: { progress: 0.25 } });
    steps[1]?.(0);
    expect(await again.next()).toMatchObject({ job: { progress: 0.5 } });
    again.close();
  });

  it('starts anew for a client that followed another process', async () => {
    const { id } = await harness.jobs.enqueue('/videos/a.mp4');
    const stream = await openStream({ 'last-event-id': 'ffffffff-7' });
    expect(await stream.next()).toMatchObject({ job: { id } });
    stream.close();
  });

  it('ends when the server closes, which does not wait for it', async () => {
    const stream = await openStream();
    await server.close(60_000);
    await expect(stream.next()).rejects.toThrow('ended');
  });
});

interface Update {
  readonly id: string;
  readonly job: { readonly id: string; readonly state: string; readonly progress: number; readonly stage: string };
}

/** A reader of server-sent events that knows only what the format says. */
async function openStream(headers: Record<string, string> = {}) {
  const abort = new AbortController();
  const response = await fetch(`${server.url}/v1/events/stream`, { headers, signal: abort.signal });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const decoder = new TextDecoder();
  let text = '';
  return {
    async next(): Promise<Update> {
      for (;;) {
        const end = text.indexOf('\n\n');
        if (end >= 0) {
          const fields = Object.fromEntries(
            text
              .slice(0, end)
              .split('\n')
              .map((line) => line.split(/: (.*)/s)),
          );
          text = text.slice(end + 2);
          if (fields['data'] !== undefined) return { id: fields['id'] ?? '', job: JSON.parse(fields['data']) };
          continue;
        }
        const { done, value } = await reader.read();
        if (done) throw new Error('The stream ended.');
        text += decoder.decode(value, { stream: true });
      }
    },
    close: () => abort.abort(),
  };
}
