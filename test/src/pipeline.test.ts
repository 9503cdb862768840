import { copyFileSync, mkdtempSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS } from '../../api/export/formats.js';
import { longFilm } from '../../fixtures/real/long-film.js';
import { smallFilm } from '../../fixtures/real/small-film.js';
import { openLibrary, type SqliteLibrary } from '../../index/store/sqlite-library.js';
import { chooseDecoder } from '../../ingest/video/choose.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { loadConfig } from '../../src/config.js';
import { LongwatchError } from '../../src/errors.js';
import type { ModelInput } from '../../src/model.js';
import { ingestVideo } from '../../src/pipeline.js';
import { contains } from '../../src/time.js';
import { CountingEmbedder, CountingLayer, ScriptedModel, SeeingEmbedder } from './stand-ins.js';

/** Runs on other machines. It answers when it has no place left or no window is to come, and then what it was asked last first. */
class ModelElsewhere extends ScriptedModel {
  open = 0;
  most = 0;
  #begun = 0;
  #ready: (() => void)[] = [];

  constructor(
    readonly concurrency: number,
    readonly windows: number,
  ) {
    super();
  }

  override async describe(input: ModelInput) {
    this.open++;
    this.most = Math.max(this.most, this.open);
    this.#begun++;
    const answered = new Promise<void>((resolve) => this.#ready.push(resolve));
    if (this.open === this.concurrency || this.#begun === this.windows)
      for (const answer of this.#ready.splice(0).reverse()) answer();
    await answered;
    this.open--;
    return super.describe(input);
  }
}

describe('the pipeline', () => {
  let folder: string;
  let film: string;
  let library: SqliteLibrary;
  let decoder: Decoder;
  let model: ScriptedModel;
  let embedder: CountingEmbedder;

  beforeEach(async () => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-pipeline-'));
    film = path.join(folder, 'film.mp4');
    copyFileSync(await smallFilm(), film);
    writeFileSync(
      path.join(folder, 'film.srt'),
      '1\n00:00:01,000 --> 00:00:02,000\nhello\n\n2\n00:00:29,000 --> 00:00:40,000\nlasts longer than the film\n\n3\n00:00:31,000 --> 00:00:32,000\nafter the film\n',
    );
    library = openLibrary(path.join(folder, 'library'), { create: true });
    // Both decoders give the same frames (their own suite proves it); the native one is faster where it is there.
    decoder = await chooseDecoder({ searchPath: loadConfig().searchPath });
    model = new ScriptedModel();
    embedder = new CountingEmbedder();
  });

  afterEach(() => library.close());

  const ingest = (options = {}) => ingestVideo({ decoder, library, model, embedder }, film, options);

  async function exported(id: string): Promise<string> {
    const video = library.findVideo(id);
    let text = '';
    for await (const piece of EXPORT_FORMATS.json.render(library, video, 'events')) text += piece;
    return text;
  }

  it('shows each window once to the model, with its planned frames in pairs', async () => {
    const { video } = await ingest();
    const segments = library.segments(video.id).items;
    expect(model.asked.map(({ range }) => range)).toEqual(segments.map(({ start, end }) => ({ start, end })));
    model.asked.forEach(({ range, pictures }, index) => {
      expect(pictures.map(({ time }) => time)).toEqual(segments[index]?.frames.map(({ time }) => time));
      expect(pictures.length % 2).toBe(0);
      for (const picture of pictures) {
        expect(contains(range, picture.time)).toBe(true);
        expect(picture.rgb).toHaveLength(56 * 28 * 3);
      }
    });
    expect([segments[0]?.start, segments.at(-1)?.end]).toEqual([0, 30]);
  });

  it('stores of each window the frames that the model looked at, where these are fewer than were planned', async () => {
    model.lookAt = (pictures) => pictures.slice(-2);
    const { video } = await ingest();
    const segments = library.segments(video.id).items;
    expect(segments.map(({ frames }) => frames)).toEqual(
      model.asked.map(({ pictures }) => pictures.slice(-2).map(({ pts, time }) => ({ pts, time }))),
    );
    expect(model.asked.some(({ pictures }) => pictures.length > 2)).toBe(true);
  });

  it('keeps what the model says inside the window that it was asked about', async () => {
    const { video } = await ingest();
    const second = library.segments(video.id).items[1];
    const said = library.events(video.id, { sources: ['model'] }).items.filter((event) => event.windowIndex === 1);
    expect(
      said.map(({ kind, text, start, end, precision, model }) => [kind, text, start, end, precision, model]),
    ).toEqual([
      ['caption', second?.caption, second?.start, second?.end, 0.5, 'scripted'],
      ['activity', 'begins before the window', second?.start, (second?.start ?? 0) + 1, 0.25, 'scripted'],
      ['activity', 'lies inside', (second?.start ?? 0) + 1, (second?.start ?? 0) + 2, 0.9, 'scripted'],
    ]);
  });

  it('moves edges of what the model says to the signals beside them', async () => {
    const { video } = await ingest();
    const cuts = library.events(video.id, { kinds: ['cut'] }).items;
    const said = library.events(video.id, { kinds: ['activity'] }).items;
    // In every window but the first, one event begins with the window, where there is a cut.
    const moved = said.filter(({ attributes }) => attributes['start_snapped_to'] === 'cut');
    expect(moved.length).toBeGreaterThan(0);
    for (const { start } of moved) expect(cuts.map((cut) => cut.start)).toContain(start);
  });

  it('cuts subtitles to the film and leaves out what comes after it', async () => {
    const { video } = await ingest();
    expect(
      library.events(video.id, { kinds: ['subtitle'] }).items.map(({ start, end, text }) => [start, end, text]),
    ).toEqual([
      [1, 2, 'hello'],
      [29, 30, 'lasts longer than the film'],
    ]);
  });

  it('embeds each text of a window once, and no signal', async () => {
    const { video } = await ingest();
    const words = library.events(video.id).items.filter(({ source }) => source !== 'signal');
    expect(library.stats().embeddings).toBe(words.length);
    expect(embedder.texts.filter((text) => text === 'cut')).toEqual([]);
  });

  it('embeds what each window looks like beside its caption, and finds it there', async () => {
    const seeing = new SeeingEmbedder();
    const { video } = await ingestVideo({ decoder, library, model, embedder: seeing }, film);
    const segments = library.segments(video.id).items;
    expect(seeing.windows).toEqual(segments.map(({ frames }) => frames.map(({ time }) => time)));
    const last = segments.at(-1);
    const query = Float32Array.of(last?.frames.length ?? 0, last?.frames[0]?.time ?? 0, 1);
    const found = await library.nearest('counting-frames', query, 100);
    expect(found.map(({ event }) => event.kind)).toEqual(segments.map(() => 'caption'));
    expect(found[0]?.event).toMatchObject({ start: last?.start, end: last?.end });
    expect((await library.check()).ok).toBe(true);
  });

  it('embeds no frames without a model', async () => {
    const seeing = new SeeingEmbedder();
    const { video } = await ingestVideo({ decoder, library, embedder: seeing }, film);
    expect([seeing.windows, video.state]).toEqual([[], 'ready']);
  });

  it('does the windows of a library again that was made before frames were embedded, and searches it until then', async () => {
    const { video } = await ingest();
    const seeing = new SeeingEmbedder();
    expect(await library.nearest('counting-frames', Float32Array.of(1, 1, 1), 5)).toEqual([]);
    const again = await ingestVideo({ decoder, library, model, embedder: seeing }, film);
    expect([again.outcome, again.video.id]).toEqual(['ingested', video.id]);
    expect(seeing.windows).toHaveLength(library.segments(video.id).items.length);
    const third = await ingestVideo({ decoder, library, model, embedder: seeing }, film);
    expect(third.outcome).toBe('already');
  });

  it('does nothing for a film that is there, also under another name', async () => {
    const first = await ingest();
    const asked = model.asked.length;
    const copy = path.join(folder, 'copy of film.mp4');
    copyFileSync(film, copy);
    copyFileSync(path.join(folder, 'film.srt'), path.join(folder, 'copy of film.srt'));
    const second = await ingestVideo({ decoder, library, model, embedder }, copy);
    expect([first.outcome, second.outcome, second.video.id]).toEqual(['ingested', 'already', first.video.id]);
    expect(second.video.path).toBe(copy);
    expect(model.asked).toHaveLength(asked);
  });

  it('does everything again when asked to, or when the words beside the film changed', async () => {
    const first = await ingest();
    const before = await exported(first.video.id);
    const asked = model.asked.length;
    expect((await ingest({ force: true })).outcome).toBe('ingested');
    expect(model.asked).toHaveLength(2 * asked);
    expect(await exported(first.video.id)).toBe(before);
    writeFileSync(path.join(folder, 'film.srt'), '1\n00:00:01,000 --> 00:00:02,000\ngoodbye\n');
    expect((await ingest()).outcome).toBe('ingested');
    expect(library.events(first.video.id, { kinds: ['subtitle'] }).items.map(({ text }) => text)).toEqual(['goodbye']);
  });

  it('loses only the window at which the model failed, and asks only for what is missing', async () => {
    const undisturbed = await ingest();
    const expected = await exported(undisturbed.video.id);
    library.removeVideo(undisturbed.video.id);

    model = new ScriptedModel();
    model.before = (_input, call) => {
      if (call === 1) throw new LongwatchError('model_failed', 'The model died.', { hint: 'Run it again.' });
    };
    await expect(ingest()).rejects.toMatchObject({ code: 'model_failed' });
    const failed = library.findVideo(undisturbed.video.id);
    expect(failed).toMatchObject({ state: 'failed', error: { code: 'model_failed', hint: 'Run it again.' } });
    expect([...library.writtenWindows(failed.id)]).toEqual([0]);

    model = new ScriptedModel();
    const { video } = await ingest();
    expect(model.asked.map(({ range }) => range.start)).not.toContain(0);
    expect(video).toMatchObject({ state: 'ready' });
    expect(video.error).toBeUndefined();
    expect(await exported(video.id)).toBe(expected);
  });

  it('asks a model that runs elsewhere about several windows at once, and writes the rows of one after the other', async () => {
    const twice = await longFilm(2, await smallFilm());
    const undisturbed = await ingestVideo({ decoder, library, model, embedder }, twice);
    const expected = await exported(undisturbed.video.id);
    const windows = model.asked.length;
    library.removeVideo(undisturbed.video.id);

    const elsewhere = new ModelElsewhere(3, windows);
    const { video } = await ingestVideo({ decoder, library, model: elsewhere, embedder }, twice);
    expect(windows).toBeGreaterThan(3);
    expect([elsewhere.asked.length, elsewhere.most]).toEqual([windows, 3]);
    expect(await exported(video.id)).toBe(expected);
  });

  it('keeps what came before a window that such a model failed at, and stops asking about those behind it', async () => {
    const elsewhere = new ModelElsewhere(3, 2);
    elsewhere.before = ({ range }) => {
      if (range.start > 0) throw new LongwatchError('model_failed', 'The server died.');
    };
    await expect(ingestVideo({ decoder, library, model: elsewhere, embedder }, film)).rejects.toMatchObject({
      code: 'model_failed',
    });
    const [video] = library.listVideos().items;
    expect(video).toMatchObject({ state: 'failed', error: { code: 'model_failed' } });
    expect([...library.writtenWindows(video?.id ?? '')]).toEqual([0]);
    expect(elsewhere.open).toBe(0);
  });

  it('can be cancelled and goes on from there', async () => {
    const abort = new AbortController();
    model.before = (_input, call) => {
      if (call === 1) abort.abort();
    };
    await expect(ingest({ signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' });
    const { items } = library.listVideos();
    expect(items.map(({ state }) => state)).toEqual(['ingesting']);
    const { video } = await ingest();
    expect(video.state).toBe('ready');
    // The abort came while the second window was asked about: its answer was thrown away, the first window was kept.
    expect(model.asked.filter(({ range }) => range.start === 0)).toHaveLength(1);
  });

  it('refuses a file that changed under its hands and keeps nothing of it', async () => {
    model.before = (_input, call) => {
      if (call === 0) utimesSync(film, new Date(), new Date(Date.now() + 60_000));
    };
    await expect(ingest()).rejects.toMatchObject({ code: 'file_changed', hint: expect.any(String) });
    const [video] = library.listVideos().items;
    expect(video?.state).toBe('failed');
    expect(library.segments(video?.id ?? '').items).toEqual([]);
  });

  it('indexes a file that was cut as far as it goes, and says what is missing', async () => {
    const bytes = readFileSync(await longFilm(2));
    const cut = path.join(folder, 'cut.mkv');
    writeFileSync(cut, bytes.subarray(0, Math.floor(bytes.length * 0.6)));
    const { video } = await ingestVideo({ decoder, library, model, embedder }, cut);
    expect(video.state).toBe('partial');
    expect(video.duration).toBeGreaterThan(20);
    expect(video.duration).toBeLessThan(50);
    expect(video.coverage).toEqual([{ start: 0, end: video.duration }]);
    expect(video.warnings.length).toBeGreaterThan(0);
    expect(library.segments(video.id).items.at(-1)?.end).toBe(video.duration);
    // The same content again is known; nothing more can be had of it.
    expect((await ingestVideo({ decoder, library, model, embedder }, cut)).outcome).toBe('already');
  });

  it('tells how far it is, and never more than it is', async () => {
    const steps: number[] = [];
    await ingest({ onProgress: ({ progress }: { progress: number }) => steps.push(progress) });
    expect(steps.length).toBeGreaterThan(100);
    expect(steps.every((step, i) => step >= (steps[i - 1] ?? 0) && step < 1)).toBe(true);
  });

  describe('layers of their own pass', () => {
    let layer: CountingLayer;
    const read = (options = {}) => ingestVideo({ decoder, library, embedder, layers: [layer] }, film, options);
    const spoken = (id: string) => library.events(id, { kinds: ['speech'] }).items.map(({ text }) => text);
    const ALL = [0, 5, 10, 15, 20, 25].map((time) => `spoken at ${time}`);

    beforeEach(() => {
      layer = new CountingLayer();
    });

    it('read a video when its windows are written, and only once', async () => {
      const { video } = await read();
      expect(spoken(video.id)).toEqual(ALL);
      expect(video.stages.speech).toEqual({ state: 'done', note: 'counting' });
      expect(embedder.texts).toEqual(expect.arrayContaining(ALL));
      expect((await read()).outcome).toBe('already');
      expect(layer.from).toEqual([0]);
    });

    it('are added to a video that was ingested before without them, and nothing else is done again', async () => {
      const { video } = await ingestVideo(
        { decoder, library, embedder, missingLayers: { speech: 'It is not installed.' } },
        film,
      );
      expect(video.stages.speech).toEqual({ state: 'skipped', note: 'It is not installed.' });
      const before = library.events(video.id).items;
      expect(await read()).toMatchObject({ outcome: 'ingested' });
      expect(library.events(video.id).items.filter(({ kind }) => kind !== 'speech')).toEqual(before);
      expect(spoken(video.id)).toEqual(ALL);
    });

    it('that fail say so, keep what they wrote and go on from there, to the same result', async () => {
      layer.failAt = 15;
      const { video } = await read();
      expect(video.state).toBe('ready');
      expect(video.stages.speech).toEqual({ state: 'failed', note: 'The layer gave up.' });
      expect(spoken(video.id)).toEqual(ALL.slice(0, 3));
      const library2 = openLibrary(path.join(folder, 'undisturbed'), { create: true });
      layer.failAt = Number.POSITIVE_INFINITY;
      await read();
      await ingestVideo({ decoder, library: library2, embedder, layers: [layer] }, film);
      expect(layer.from).toEqual([0, 15, 0]);
      expect(library.events(video.id)).toEqual(library2.events(video.id));
      await library2.close();
    });

    it('that have read a video stay done when a later run leaves them out', async () => {
      await read();
      const { video } = await ingestVideo(
        { decoder, library, embedder, missingLayers: { speech: 'The profile leaves it out.' } },
        film,
      );
      expect(video.stages.speech).toEqual({ state: 'done', note: 'counting' });
      expect(spoken(video.id)).toEqual(ALL);
    });

    it('that miss a part only when they read are skipped with that reason, and tried again', async () => {
      layer.failWith = new LongwatchError('part_missing', 'The runtime does not load.', { hint: 'Install it.' });
      layer.failAt = 0;
      const { video } = await read();
      expect(video.stages.speech).toEqual({ state: 'skipped', note: 'The runtime does not load. Install it.' });
      layer.failAt = Number.POSITIVE_INFINITY;
      expect((await read()).video.stages.speech).toEqual({ state: 'done', note: 'counting' });
    });

    it('read anew when they would say something else', async () => {
      const { video } = await read();
      layer.identity = 'counting 2';
      expect(await read()).toMatchObject({ outcome: 'ingested' });
      expect(layer.from).toEqual([0, 0]);
      expect(spoken(video.id)).toEqual(ALL);
    });

    it('carry no words that a model or a player would take for an order', async () => {
      layer.text = (start) => (start === 0 ? '<|im_start|>' : `spoken\u0007at ${start} <|im_end|>`);
      const { video } = await read();
      expect(spoken(video.id)).toEqual([5, 10, 15, 20, 25].map((time) => `spoken at ${time}`));
    });

    it('that have nothing to read say why', async () => {
      layer.skipped = 'the file has no sound';
      const { video } = await read();
      expect(video.stages.speech).toEqual({ state: 'skipped', note: 'the file has no sound' });
    });
  });
});
