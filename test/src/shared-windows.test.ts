/** Windows that several workers describe give the rows of one process that does everything, byte for byte. */

import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../api/export/formats.js';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { JOB_PARTS, type JobPart } from '../../ingest/jobs/job-part.js';
import type { WorkerRecord } from '../../ingest/jobs/worker.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import { ingestVideo, type PipelineParts } from '../../src/pipeline.js';
import { ingestShare, leavesModel } from '../../src/shared-ingest.js';
import { describeShared } from '../../src/shared-windows.js';
import { CountingLayer, ScriptedModel, SeeingEmbedder } from './stand-ins.js';

const WORDS = '1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:12,000 --> 00:00:13,500\nin the middle\n';
const OTHERS: readonly JobPart[] = JOB_PARTS.filter((part) => part !== 'model');
const HOLD = { lease: 60_000, isGone: () => false } as const;

let film: string;
let folder: string;
let decoder: Decoder;

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-shared-'));
  film = path.join(folder, 'film.mp4');
  copyFileSync(await smallFilm(), film);
  writeFileSync(path.join(folder, 'film.srt'), WORDS);
  decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
});

let made = 0;
const libraries: SqliteLibrary[] = [];
afterEach(async () => {
  for (const library of libraries.splice(0)) await library.close();
});

/** A library with workers that have the same model and embedder. */
class Hosts {
  readonly library = openLibrary(path.join(folder, `library-${made++}`), { create: true });
  readonly model = new ScriptedModel();
  readonly embedder = new SeeingEmbedder();
  readonly layer = new CountingLayer();

  constructor() {
    libraries.push(this.library);
  }

  parts(): PipelineParts & { readonly model: ScriptedModel } {
    return { decoder, library: this.library, model: this.model, embedder: this.embedder, layers: [this.layer] };
  }

  alone() {
    return ingestVideo(this.parts(), film);
  }

  /** Takes the job as a worker of these parts does, and lets go of it. Returns what is left. */
  async share(own: readonly JobPart[]): Promise<readonly JobPart[]> {
    const held = this.library.claimJob({ ...HOLD, owner: own.join(), parts: own });
    if (!held) throw new Error('There is no job to take.');
    const { fence, job } = held;
    const { model, ...others } = this.parts();
    const parts = { ...others, library: this.library.underJob(fence), planFor: model };
    const { parts: todo, videoId: known } = job;
    const share = { own, ...(todo ? { todo } : {}), ...(known ? { videoId: known } : {}) };
    const { videoId, left } = await ingestShare(parts, film, share);
    const end =
      left.length > 0 ? ({ kind: 'handed', videoId, parts: left } as const) : ({ kind: 'done', videoId } as const);
    this.library.endJob(fence, end);
    return left;
  }

  claim(owner: string, most = 1) {
    return this.library.sharedWindows.claim({ ...HOLD, owner, model: this.model.id, most });
  }

  async describe(claimed: ReturnType<Hosts['claim']>) {
    if (!claimed) throw new Error('There is nothing to claim.');
    await describeShared(this.parts(), claimed, { signal: new AbortController().signal, goesOn: () => true });
  }

  /** Two take turns. Whoever takes windows later writes them first. */
  async describeAll() {
    for (let one = this.claim('one'); one; one = this.claim('one')) {
      const two = this.claim('two');
      if (two) await this.describe(two);
      await this.describe(one);
    }
  }

  get video() {
    const [video] = this.library.listVideos().items;
    if (!video) throw new Error('There is no video.');
    return video;
  }

  async all() {
    let text = '';
    for await (const piece of EXPORT_FORMATS.json.render(this.library, this.video, 'events')) text += piece;
    const points = await this.library.nearestPoints(this.embedder.id, Float32Array.of(1, 1, 1), 1000);
    const frames = await this.library.nearestPoints('counting-frames', Float32Array.of(1, 1, 1), 1000);
    const rows = [...points, ...frames].map(({ event, vector }) => `${event.id} ${[...vector].join()}`).sort();
    const { stages, warnings, state, fingerprint } = this.video;
    const makings = [...this.library.makings(this.video.id)];
    const segments = this.library.segments(this.video.id).items;
    const { ok } = await this.library.check();
    return { text, segments, makings, stages, warnings, state, fingerprint, rows, ok };
  }
}

/** What one process gives that does everything. */
let expected: Awaited<ReturnType<Hosts['all']>>;
let shown: ReturnType<typeof shownOf>;

function shownOf({ model }: Hosts) {
  return model.asked
    .toSorted((a, b) => a.range.start - b.range.start)
    .map(({ range, pictures }) => ({ range, pictures: pictures.map(({ index: _, ...picture }) => picture) }));
}

describe('windows that several workers describe', () => {
  beforeAll(async () => {
    const one = new Hosts();
    await one.alone();
    expected = await one.all();
    shown = shownOf(one);
  });

  it('have the rows of one process that does everything: captions, snapped edges, points of texts and frames, stages', async () => {
    const many = new Hosts();
    many.library.addJob({ path: film });
    expect(await many.share(OTHERS)).toEqual(['model']);
    // Until then it is searched for all else, its layers are read, and its job is nobody's.
    expect(many.library.matchText('hello', 5)).toHaveLength(1);
    expect(many.video).toMatchObject({ state: 'ready', stages: { model: { state: 'pending', note: 'scripted' } } });
    expect(many.layer.from).toEqual([0]);
    expect(many.library.claimJob({ ...HOLD, owner: 'all' })).toBeUndefined();
    await many.describeAll();
    expect(await many.share(['model'])).toEqual([]);
    expect(await many.all()).toEqual(expected);
    expect(shownOf(many)).toEqual(shown);
    expect(shown.length).toBeGreaterThan(1);
    // What the words of the file mean was reckoned with the plan.
    expect(many.embedder.texts.filter((text) => text === 'hello')).toHaveLength(1);
  });

  it('that ended their process twice are written without the model, and the video says so as one host would', async () => {
    const [one, many] = [new Hosts(), new Hosts()];
    one.model.before = () => {
      throw new LongwatchError('model_failed', 'Out of order.');
    };
    await expect(one.alone()).rejects.toThrow('Out of order.');
    one.model.before = () => {};
    many.library.addJob({ path: film });
    await many.share(OTHERS);
    for (const { library, video } of [one, many])
      for (let death = 0; death < 2; death++) library.beginWindow(video.id, 0, 'scripted');
    await one.alone();
    await many.describeAll();
    await many.share(['model']);
    expect(one.video.warnings).toEqual([expect.stringMatching(/^The process ended 2 times while the model looked at/)]);
    expect(await many.all()).toEqual(await one.all());
  });

  it('keep what another model said, by fewer frames, until they are described anew', async () => {
    const hosts = new Hosts();
    hosts.model.lookAt = (pictures) => pictures.slice(0, 2);
    await hosts.alone();
    const captions = () => hosts.library.segments(hosts.video.id).items.map(({ caption, model }) => [caption, model]);
    const before = captions();
    Object.assign(hosts.model, { id: 'better', lookAt: (pictures: unknown) => pictures });
    hosts.library.addJob({ path: film });
    await hosts.share(OTHERS);
    expect(captions()).toEqual(before);
    await hosts.describeAll();
    await hosts.share(['model']);
    const renamed = JSON.stringify(expected).replaceAll('scripted', 'better');
    expect(JSON.parse(JSON.stringify(await hosts.all()))).toEqual(JSON.parse(renamed));
  });

  it('are left by a model that fails and by one that lost them, and offered again without the film when their job is tried again', async () => {
    const hosts = new Hosts();
    const [{ id: jobId }, { model, library }] = [hosts.library.addJob({ path: film }), hosts];
    await hosts.share(OTHERS);
    model.before = () => {
      throw new LongwatchError('model_failed', 'Out of order.');
    };
    const claimed = hosts.claim('one');
    await expect(hosts.describe(claimed)).rejects.toMatchObject({ code: 'model_failed' });
    // It lives, so nothing is held against the window.
    expect(library.beginWindow(hosts.video.id, 0, 'scripted')).toBe(0);
    library.leaveWindow(hosts.video.id, 0);
    model.before = () => {
      if (claimed) library.sharedWindows.leave(claimed.fence);
    };
    await expect(hosts.describe(claimed)).rejects.toMatchObject({ code: 'lease_lost' });
    expect(library.segments(hosts.video.id).items.filter(({ caption }) => caption !== undefined)).toEqual([]);
    model.before = () => {};
    await hosts.describe(hosts.claim('two'));
    library.cancelJob(jobId);
    expect(hosts.claim('one')).toBeUndefined();
    library.retryJob(jobId);
    await hosts.share(OTHERS);
    expect(hosts.layer.from).toEqual([0]);
    await hosts.describeAll();
    await hosts.share(['model']);
    // One that failed, one that was lost, and each once.
    expect(model.asked.length).toBe(1 + shown.length);
    expect(await hosts.all()).toEqual(expected);
  });
});

describe('a worker that decodes', () => {
  const other = { owner: 'other', host: 'h', version: '1', state: 'idle', since: 0, silence: 0, jobs: [] } as const;
  const leaves = (own: readonly JobPart[] | undefined, ...others: Partial<WorkerRecord>[]) =>
    leavesModel({ list: () => others.map((one) => ({ ...other, parts: ['model'], ...one })) }, 'self', own);

  it('asks the model itself, as it has the frames at hand, unless others could do nothing but look on', async () => {
    expect(await leaves(undefined)).toBe(false);
    expect(await leaves(['decode', 'model'], { parts: ['decode', 'model'] }, { parts: ['speech'] })).toBe(false);
    expect(await leaves(['decode', 'model'], { state: 'lost' }, { state: 'draining' }, { owner: 'self' })).toBe(false);
    expect(await leaves(['decode', 'model'], {})).toBe(true);
    expect(await leaves(undefined, { parts: ['model', 'speech'], state: 'working' })).toBe(true);
    expect(await leaves(['model'], {})).toBe(false);
  });
});
