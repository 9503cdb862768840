/** A real library and job queue in a temporary folder, and the app over them. Search and decoding are small stand-ins that record what they are asked. */

import { mkdtempSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createApp } from '../../api/app.js';
import type { ApiConfig, ApiParts } from '../../api/ports.js';
import type { VideoPatch } from '../../index/library.js';
import type { SearchAnswer, Searcher, SearchHit, SearchRequest } from '../../index/search/types.js';
import type { VideoRecord } from '../../index/store/records.js';
import { openLibrary } from '../../index/store/sqlite-library.js';
import { JobQueue, type JobWork } from '../../ingest/jobs/queue.js';
import type { Decoder, VideoProbe } from '../../ingest/video/decoder.js';
import { ask } from '../../src/ask.js';
import type { Backend } from '../../src/backend.js';
import type { MediaEvent } from '../../src/event.js';
import type { TimeRange } from '../../src/time.js';

export const SHA256 = '3f9a1c0b7d2e'.padEnd(64, '0');
export const VIDEO_ID = '3f9a1c0b7d2e';

/** What every search of the harness finds. */
export const HIT: SearchHit = {
  videoId: VIDEO_ID,
  path: '/videos/bunny.mp4',
  title: 'Bunny',
  start: 1.0004,
  end: 2.5,
  score: 0.876543,
  kind: 'subtitle',
  source: 'subtitle',
  text: 'the rabbit opens its eyes',
  why: ['words: "rabbit"'],
  precision: 0.0208,
  eventIds: [`${VIDEO_ID}-0-0`],
};
/** Each byte tells its own position (modulo 251). */
export const MEDIA_BYTES = Uint8Array.from({ length: 1000 }, (_, index) => index % 251);
/** What the stand-in decoder gives for every frame: the first bytes of a JPEG. */
export const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);

export interface HarnessOptions {
  readonly config?: Partial<ApiConfig>;
  readonly work?: JobWork;
  readonly searcher?: Searcher;
  readonly searchByPicture?: NonNullable<ApiParts['searchByPicture']>;
  readonly decoder?: Decoder;
  readonly objects?: NonNullable<ApiParts['objects']>;
  readonly backend?: Backend;
  readonly look?: NonNullable<ApiParts['look']>;
  readonly summary?: NonNullable<ApiParts['summary']>;
  readonly models?: ApiParts['models'];
  readonly modelServers?: NonNullable<ApiParts['modelServers']>;
  readonly estimate?: ApiParts['estimate'];
  readonly examine?: NonNullable<ApiParts['examine']>;
  readonly watchedPlaces?: NonNullable<ApiParts['watchedPlaces']>;
}

export type Harness = Awaited<ReturnType<typeof openHarness>>;

export function openHarness(options: HarnessOptions = {}) {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'longwatch-api-')));
  const library = openLibrary(path.join(folder, 'library'), { create: true });
  const jobs = new JobQueue({ store: library, work: options.work ?? (async () => ({ videoId: VIDEO_ID })) });
  const asked: SearchRequest[] = [];
  const stills: { time: number; width: number | undefined }[] = [];
  const lines: { level: string; fields: object; message: string }[] = [];
  const log = (level: string) => (fields: object, message: string) => void lines.push({ level, fields, message });
  const shutdown = new AbortController();
  const { backend } = options;
  const parts: ApiParts = {
    library,
    jobs,
    searcher: options.searcher ?? recordingSearcher(asked),
    decoder: options.decoder ?? standInDecoder(stills),
    ...(options.objects ? { objects: options.objects } : {}),
    ask: (request, signal) =>
      ask({ library, searcher: parts.searcher, model: async () => (backend ? { backend } : {}) }, request, signal),
    ...(options.searchByPicture ? { searchByPicture: options.searchByPicture } : {}),
    ...(options.examine ? { examine: options.examine } : {}),
    ...(options.watchedPlaces ? { watchedPlaces: options.watchedPlaces } : {}),
    ...(options.look ? { look: options.look } : {}),
    ...(options.summary ? { summary: options.summary } : {}),
    estimate: options.estimate ?? (() => Promise.reject(new Error('no estimate was expected'))),
    models: options.models ?? (async () => ({ models: [] })),
    ...(options.modelServers ? { modelServers: options.modelServers } : {}),
    config: { version: '1.2.3', allowedRoots: [folder], ...options.config },
    log: { info: log('info'), warn: log('warn'), error: log('error') },
  };
  const app = createApp(parts, shutdown.signal);
  return {
    folder,
    library,
    jobs,
    asked,
    stills,
    lines,
    parts,
    app,
    shutdown,
    /** Adds the known video with a file of `MEDIA_BYTES`; events go into one window over the whole of it. */
    addVideo(events: readonly MediaEvent[] = [], patch: VideoPatch = {}): VideoRecord {
      const file = path.join(folder, 'bunny.mp4');
      writeFileSync(file, MEDIA_BYTES);
      const video = library.addVideo({
        path: file,
        title: 'Bunny',
        sha256: SHA256,
        sizeBytes: MEDIA_BYTES.length,
        modified: statSync(file).mtimeMs,
        fingerprint: 'f1',
      });
      const duration = patch.duration ?? 10;
      library.writeWindow(video.id, {
        window: { index: 0, start: 0, end: duration, frames: [{ pts: 0, time: 0 }], activity: 1.25 },
        precision: 0,
        events: events.map((event) => ({ event })),
      });
      return library.updateVideo(video.id, {
        state: 'ready',
        duration,
        width: 640,
        height: 360,
        container: 'mov,mp4,m4a,3gp,3g2,mj2',
        codec: 'h264',
        fps: { nominal: 24000 / 1001, min: 24000 / 1001, max: 24000 / 1001, variable: false },
        coverage: [{ start: 0, end: duration }],
        ...patch,
      });
    },
    async get(address: string, init: RequestInit = {}): Promise<{ status: number; headers: Headers; body: unknown }> {
      const response = await app.request(address, init);
      const text = await response.text();
      const isJson =
        response.headers.get('content-type')?.includes('json') &&
        !response.headers.get('content-type')?.includes('ndjson');
      return {
        status: response.status,
        headers: response.headers,
        body: isJson && text !== '' ? JSON.parse(text) : text,
      };
    },
    send(method: string, address: string, body: unknown, headers: Record<string, string> = {}) {
      return this.get(address, {
        method,
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      });
    },
    async close() {
      shutdown.abort();
      await jobs.close();
      await library.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** An event of which only the telling parts are given. */
export function event(kind: MediaEvent['kind'], range: TimeRange | [number, number], text: string): MediaEvent {
  const { start, end } = Array.isArray(range) ? { start: range[0], end: range[1] } : range;
  const source = SOURCES[kind] ?? 'signal';
  return { kind, source, start, end, text, precision: 0.04, attributes: {} };
}

const SOURCES: Partial<Record<MediaEvent['kind'], MediaEvent['source']>> = {
  caption: 'model',
  activity: 'model',
  text: 'text',
  speech: 'speech',
  subtitle: 'subtitle',
  chapter: 'container',
  tag: 'container',
};

function recordingSearcher(asked: SearchRequest[]): Searcher {
  return {
    async search(request): Promise<SearchAnswer> {
      asked.push(request);
      return {
        query: request.query,
        took: 1.23456,
        mode: 'words',
        count: 1,
        noMatch: false,
        results: [HIT],
      };
    },
  };
}

function standInDecoder(stills: { time: number; width: number | undefined }[]): Decoder {
  return {
    id: 'native',
    version: async () => 'stand-in',
    probe: async () => ({}) as VideoProbe,
    async *decode() {
      yield* [];
      throw new Error('The API never decodes a whole file.');
    },
    async *sound() {
      yield* [];
      throw new Error('The API never reads sound.');
    },
    subtitles: async () => [],
    stretch: async () => [],
    clip: async (_path, _probe, { range, cut }) => ({
      ...range,
      cut: cut === 'encode' ? 'encode' : 'copy',
      async *bytes() {
        yield JPEG;
      },
    }),
    async still(_path, _probe, { time }, width) {
      stills.push({ time, width });
      return { jpeg: JPEG, time: Math.floor(time * 24) / 24 };
    },
  };
}
