import { copyFileSync, cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../api/export/formats.js';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { armFailpoint, type FailpointName } from '../../src/failpoint.js';
import { type IngestOptions, ingestVideo, type PipelineParts } from '../../src/pipeline.js';
import { CountingEmbedder, CountingLayer, ScriptedModel, SeeingEmbedder } from './stand-ins.js';

const WORDS =
  '1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:21,000 --> 00:00:40,000\nlasts longer than the film\n';
/** The first line is another, the last one is gone, one is new, and a line is none. */
const OTHER_WORDS =
  '1\n00:00:01,000 --> 00:00:02,000\ngoodbye\n\n2\n00:00:12,000 --> 00:00:13,500\na new line\n\n3\nnot a time --> at all\nlost\n';

/** What an ingest is made of here; each test changes some of it. */
class Setting {
  readonly model = new ScriptedModel();
  embedder: CountingEmbedder | undefined = new CountingEmbedder();
  readonly layer = new CountingLayer();
  decodes = 0;

  constructor(
    readonly library: SqliteLibrary,
    private readonly decoder: Decoder,
  ) {}

  parts(): PipelineParts {
    const decoder: Decoder = new Proxy(this.decoder, {
      get: (target, name) => {
        if (name === 'decode') this.decodes += 1;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return {
      decoder,
      library: this.library,
      model: this.model,
      layers: [this.layer],
      ...(this.embedder ? { embedder: this.embedder } : {}),
    };
  }
}

describe('a video that is there', () => {
  let folder: string;
  let film: string;
  let base: string;
  let decoder: Decoder;
  let made = 0;
  const libraries: SqliteLibrary[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-renewal-'));
    film = path.join(folder, 'film.mp4');
    copyFileSync(await smallFilm(), film);
    decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
    writeFileSync(path.join(folder, 'film.srt'), WORDS);
    base = path.join(folder, 'base');
    const setting = new Setting(openLibrary(base, { create: true }), decoder);
    await ingestVideo(setting.parts(), film);
    await setting.library.close();
  });

  afterEach(async () => {
    armFailpoint(undefined);
    for (const library of libraries.splice(0)) await library.close();
  });

  /** A library with the film in it, or without. */
  function open(from?: string): SqliteLibrary {
    const directory = path.join(folder, `library-${made++}`);
    if (from !== undefined) cpSync(from, directory, { recursive: true });
    const library = openLibrary(directory, { create: true });
    libraries.push(library);
    return library;
  }

  const there = () => new Setting(open(base), decoder);

  function write(words: string): void {
    writeFileSync(path.join(folder, 'film.srt'), words);
  }

  const ingest = (setting: Setting, options: IngestOptions = {}) => ingestVideo(setting.parts(), film, options);

  /** All that is told of the film, and all points of an embedder with the events that they are of. */
  async function all({ library }: Setting, embedderId: string) {
    const [video] = library.listVideos().items;
    let text = '';
    if (video) for await (const piece of EXPORT_FORMATS.json.render(library, video, 'events')) text += piece;
    const points = await library.nearestPoints(embedderId, Float32Array.of(1, 1, 1), 1000);
    const rows = points.map(({ event, vector }) => `${event.id} ${[...vector].join()}`).sort();
    const { ok } = await library.check();
    return { text, segments: library.segments(video?.id ?? '').items, warnings: video?.warnings, rows, ok };
  }

  /** The same settings in a library that knows nothing. */
  async function fresh(like: Setting): Promise<Setting> {
    const setting = new Setting(open(), decoder);
    Object.assign(setting.model, { id: like.model.id, says: like.model.says, cost: like.model.cost });
    setting.embedder = like.embedder && Object.assign(new CountingEmbedder(), { id: like.embedder.id });
    setting.layer.identity = like.layer.identity;
    await ingest(setting);
    return setting;
  }

  it('is embedded anew by another embedder without its film: windows and layers, and the old points are gone', async () => {
    write(WORDS);
    const setting = there();
    setting.embedder = Object.assign(new CountingEmbedder(), { id: 'another' });
    expect(await ingest(setting)).toMatchObject({ outcome: 'ingested', parts: [{ name: 'meaning' }] });
    expect([setting.decodes, setting.model.asked, setting.layer.from]).toEqual([0, [], []]);
    expect([setting.library.holds('counting'), setting.library.holds('another')]).toEqual([false, true]);
    expect(await all(setting, 'another')).toEqual(await all(await fresh(setting), 'another'));
    expect((await ingest(setting)).outcome).toBe('already');
  });

  it('gets other words from beside the film without the film and the model, only where they differ', async () => {
    write(OTHER_WORDS);
    const setting = there();
    const { video, parts } = await ingest(setting);
    expect(parts.map(({ name }) => name)).toEqual(['subtitles']);
    expect([setting.decodes, setting.model.asked, setting.layer.from]).toEqual([0, [], []]);
    expect(video.warnings).toEqual([expect.stringMatching(/^film\.srt: \d+ lines were not understood/)]);
    expect(setting.embedder?.texts).toEqual(['goodbye', 'a new line']);
    const expected = await all(await fresh(setting), 'counting');
    expect(await all(setting, 'counting')).toEqual(expected);
    write(WORDS);
    expect((await ingest(setting)).video.warnings).toEqual([]);
    expect((await ingest(setting)).outcome).toBe('already');
  });

  it('is described anew by another model: its plan, words and layers stay, and a failure leaves the windows that are done', async () => {
    write(WORDS);
    const setting = there();
    Object.assign(setting.model, { id: 'better', says: 'A better stretch' });
    setting.model.before = (_input, call) => {
      if (call === 1) throw new Error('out of order');
    };
    await expect(ingest(setting)).rejects.toThrow('out of order');
    const models = () =>
      setting.library.segments(setting.library.listVideos().items[0]?.id ?? '').items.map((s) => s.model);
    const windows = models().length;
    expect(models()).toEqual(['better', ...new Array(windows - 1).fill('scripted')]);
    setting.model.before = () => {};
    await ingest(setting);
    expect(setting.model.asked).toHaveLength(windows);
    expect(setting.library.listVideos().items[0]?.stages.speech).toEqual({ state: 'done', note: 'counting' });
    expect(setting.layer.from).toEqual([]);
    // Captions and events of the model have other words; the others keep their points.
    expect(setting.embedder?.texts.filter((text) => /hello|film|spoken/.test(text))).toEqual([]);
    expect(await all(setting, 'counting')).toEqual(await all(await fresh(setting), 'counting'));
  });

  it('is planned anew where a pair of frames costs the new model more', async () => {
    write(WORDS);
    const setting = there();
    setting.model.cost = 1024;
    const { parts } = await ingest(setting);
    expect([parts.map(({ name }) => name), setting.layer.from]).toEqual([['windows'], []]);
    expect(await all(setting, 'counting')).toEqual(await all(await fresh(setting), 'counting'));
  });

  it('loses nothing to a run without a model or an embedder', async () => {
    write(WORDS);
    const setting = there();
    const before = await all(setting, 'counting');
    setting.embedder = undefined;
    const { model: _, ...parts } = setting.parts();
    expect((await ingestVideo(parts, film)).outcome).toBe('already');
    expect(await all(setting, 'counting')).toEqual(before);
  });

  it('has its frames embedded without being described again, where an embedder comes that knows frames', async () => {
    write(WORDS);
    const setting = there();
    const seeing = Object.assign(new SeeingEmbedder(), { id: 'counting' });
    setting.embedder = seeing;
    await ingest(setting);
    expect([setting.model.asked, seeing.texts]).toEqual([[], []]);
    expect(seeing.windows).toHaveLength(
      setting.library.segments(setting.library.listVideos().items[0]?.id ?? '').items.length,
    );
    expect((await ingest(setting)).outcome).toBe('already');
  });

  it('ends with the same rows wherever a change is broken off, and however often', async () => {
    write(OTHER_WORDS);
    const setting = there();
    setting.embedder = Object.assign(new CountingEmbedder(), { id: 'another' });
    const places: FailpointName[] = ['commit', 'stretch'];
    let broken = 0;
    for (const name of places)
      for (const after of [1, 2]) {
        armFailpoint({ name, after, action: 'throw' });
        await ingest(setting).catch(() => broken++);
        armFailpoint(undefined);
        expect(setting.library.listVideos().items[0]?.state).toBe('ready');
      }
    expect(broken).toBe(4);
    await ingest(setting);
    expect(setting.decodes).toBe(0);
    expect(await all(setting, 'another')).toEqual(await all(await fresh(setting), 'another'));
  });
});
