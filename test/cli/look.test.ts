/** The whole way of a model on the command line, with a tiny Qwen2.5-VL of random weights: nonsense words, valid shapes, true times. */

import { copyFileSync, mkdtempSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { longwatch } from './run.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-look-'));
const library = path.join(folder, 'library');
const film = path.join(folder, 'film.mp4');
const VIDEO_ID = '521a78e22a40';

const run = (...args: string[]) => longwatch([...args, '--library', library]);

async function look(...args: string[]): Promise<Record<string, unknown>> {
  const { exit, stdout, stderr } = await run('look', VIDEO_ID, ...args, '--json');
  expect([exit, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

interface Segment {
  readonly start_s: number;
  readonly end_s: number;
  readonly caption: string;
  readonly model: string;
  readonly frames: readonly number[];
  readonly events: readonly {
    kind: string;
    source: string;
    start_s: number;
    end_s: number;
    text: string;
    model?: string;
  }[];
}

beforeAll(async () => {
  copyFileSync(FILM, film);
  const checkpoint = path.resolve('fixtures/golden/tiny-tied/checkpoint');
  expect((await run('models', 'add', checkpoint, '--name', 'tiny', '--dtype', 'fp32')).exit).toBe(0);
  expect((await run('ingest', film)).exit).toBe(0);
});

describe('an ingest with a model', () => {
  it('writes a caption for each window, and events that lie inside it', async () => {
    const { segments, stages } = JSON.parse((await run('show', VIDEO_ID, '--plan', '--json')).stdout);
    expect(stages.model).toEqual({ state: 'done', note: 'tiny' });
    expect(segments.length).toBeGreaterThan(1);
    for (const { start_s, end_s, caption, model, frames, events } of segments as Segment[]) {
      expect([model, frames.length % 2, caption.trim().length > 0]).toEqual(['tiny', 0, true]);
      for (const event of events.filter(({ source }) => source === 'model')) {
        expect(event.model).toBe('tiny');
        expect(event.start_s >= start_s && event.end_s <= end_s && event.start_s < event.end_s).toBe(true);
        expect(event.text).not.toMatch(/<\||[\p{Cc}]/u);
      }
    }
  });

  it('does nothing again for the same model, and without one takes nothing away', async () => {
    expect((await run('ingest', film)).stdout).toContain('already there');
    const without = await longwatch(['ingest', film, '--library', library], { env: { LONGWATCH_MODEL: 'none' } });
    expect(without.stdout).toContain('already there');
    const { segments } = JSON.parse((await run('show', VIDEO_ID, '--plan', '--json')).stdout);
    expect(segments.every((segment: Segment) => segment.caption !== undefined)).toBe(true);
  });
});

describe('longwatch look', () => {
  it.each([
    ['caption', []],
    ['events', []],
    ['ground', ['a bird']],
    ['answer', ['what is there?']],
  ])('%s speaks of the stretch that was asked about', async (name, words) => {
    const said = await look(name, ...words, '--from', '12', '--to', '20');
    expect(said).toMatchObject({ video_id: VIDEO_ID, look: name, model: 'tiny' });
    for (const [, start, end] of JSON.stringify(said['result']).matchAll(/"start_s":([\d.]+),"end_s":([\d.]+)/g)) {
      expect(Number(start) >= 12 && Number(end) <= 20 && Number(start) < Number(end)).toBe(true);
    }
  });

  it.each([
    ['boxes', ['a bird']],
    ['points', ['a bird']],
    ['lines', []],
    ['act', ['start the film']],
  ])('%s speaks of the picture of that moment, in its pixels', async (name, words) => {
    const said = await look(name, ...words, '--at', '18.5');
    for (const [, axis, value] of JSON.stringify(said['result']).matchAll(
      /"(x|left|right|y|top|bottom)":(-?[\d.]+)/g,
    )) {
      expect(Number(value)).toBeGreaterThanOrEqual(0);
      expect(Number(value)).toBeLessThanOrEqual(/x|left|right/.test(axis ?? '') ? 854 : 480);
    }
  });

  it('fills a form as its schema says', async () => {
    const schema = path.join(folder, 'form.json');
    writeFileSync(
      schema,
      JSON.stringify({
        type: 'object',
        properties: {
          title: { type: 'string', maxLength: 20 },
          year: { type: 'integer', minimum: 1900, maximum: 2030 },
        },
        required: ['title', 'year'],
      }),
    );
    const { result } = await look('form', '--at', '27', '--schema', schema);
    const { title, year } = result as { title: string; year: number };
    expect([typeof title, title.length <= 20, Number.isInteger(year), year >= 1900 && year <= 2030]).toEqual([
      'string',
      true,
      true,
      true,
    ]);
  });

  it.each([
    [['ground', '--from', '0', '--to', '10'], 'invalid_input', 'look VIDEO ground "WORDS"'],
    [['caption', '--from', '40', '--to', '50'], 'bad_range', '0:00:40.000 lies behind the end of the video.'],
    [['form', '--at', '1'], 'invalid_input', '--schema FILE'],
  ])('refuses %j', async (args, code, advice) => {
    const { exit, stderr } = await run('look', VIDEO_ID, ...args);
    expect([exit, stderr.includes(`[${code}]`)]).toEqual([2, true]);
    expect(stderr).toContain(advice);
  });

  it('refuses a file that was written to since it was ingested', async () => {
    const { atime, mtime } = statSync(film);
    utimesSync(film, atime, new Date(mtime.getTime() + 5000));
    const { exit, stderr } = await run('look', VIDEO_ID, 'caption', '--from', '0', '--to', '5');
    utimesSync(film, atime, mtime);
    expect([exit, stderr.includes('[file_changed]'), stderr.includes('Ingest it again.')]).toEqual([1, true, true]);
  });

  it('says that there is no model, and how to get one', async () => {
    const { exit, stderr } = await longwatch(['look', VIDEO_ID, 'caption', '--library', library], {
      env: { LONGWATCH_MODEL: 'none' },
    });
    expect([exit, stderr.includes('[part_missing]')]).toEqual([1, true]);
  });
});

interface Found {
  readonly start_s: number;
  readonly end_s: number;
  readonly score: number;
  readonly source: string;
  readonly kind: string;
  readonly why: readonly string[];
  readonly precision_s: number;
}

describe('longwatch search --ground', () => {
  /** Another model of random weights: the first one names no time for any query, this one does. */
  const models = path.join(folder, 'grounding-models');
  const ground = (...args: string[]) =>
    longwatch(['search', 'red', '--ground', '--library', library, ...args], { env: { LONGWATCH_MODELS: models } });

  beforeAll(async () => {
    const checkpoint = path.resolve('fixtures/golden/tiny-wide/checkpoint');
    const args = ['models', 'add', checkpoint, '--name', 'wide', '--dtype', 'fp32', '--models', models];
    expect((await longwatch(args)).exit).toBe(0);
  });

  it('lets the model look again, and gives times inside what it looked at', async () => {
    const { stdout, exit } = await ground('--from', '12', '--to', '20', '--json');
    const { results, no_match, grounding } = JSON.parse(stdout);
    expect([exit, no_match, results.length]).toEqual([0, false, grounding.windows[0].found]);
    expect(grounding).toEqual({
      model: 'wide',
      complete: true,
      windows: [{ video_id: VIDEO_ID, start_s: 12, end_s: 20, found: expect.any(Number) }],
    });
    for (const { start_s, end_s, source, kind, score, precision_s, why } of results as Found[]) {
      expect([source, kind]).toEqual(['model', 'activity']);
      expect(why[0]).toBe(`grounded by wide, score ${score.toFixed(2)}`);
      expect(score >= 0.5 && score <= 1 && precision_s <= 0.5).toBe(true);
      // Snapping moves an edge by its precision at most.
      expect(start_s >= 11.5 && end_s <= 20.5 && start_s < end_s).toBe(true);
    }
  });

  it('is what `ask --ground` answers from', async () => {
    const args = ['ask', 'red', '--ground', '--library', library, '--json'];
    const { stdout } = await longwatch(args, { env: { LONGWATCH_MODELS: models } });
    const { by, model, sentences, grounding } = JSON.parse(stdout);
    expect([by, model, grounding.model, grounding.complete]).toEqual(['model', 'wide', 'wide', true]);
    expect(grounding.windows.length).toBeGreaterThan(0);
    const places = sentences.flatMap(({ citations }: { citations: { why?: string[] }[] }) => citations);
    const seen = places.filter(({ why }: { why?: string[] }) => why?.[0]?.startsWith('grounded by wide'));
    // Around the places the words of the video are read too; those have no reasons.
    expect(places.filter(({ why }: { why?: string[] }) => why !== undefined)).toEqual(seen);
  });

  it('says where it looked, and offers what was not sure enough as near misses', async () => {
    const { stdout, stderr, exit } = await ground('--min-score', '1');
    expect(exit).toBe(4);
    expect(stdout).toMatch(/^No match\.\nNear misses:\n0:00:[\s\S]* grounded by wide, score 0\.\d\d/);
    expect(stderr).toMatch(/^wide looked at \d windows? and is not sure enough of it in any of them\./m);
  });

  it('without a model is a plain search, and says so', async () => {
    const args = ['search', 'a bird sings', '--library', library, '--json'];
    const env = { LONGWATCH_MODEL: 'none' };
    const { took_ms: _, note, ...plain } = JSON.parse((await longwatch(args, { env })).stdout);
    const grounded = JSON.parse((await longwatch([...args, '--ground'], { env })).stdout);
    expect(grounded).toMatchObject(plain);
    expect(grounded.note).toContain('Not looked at again: there is no model to look with.');
  });

  it.each([
    [['--ground', '--ground-windows', '0'], '0 windows are not possible'],
    [['--ground', '--ground-windows', 'all'], '--ground-windows cannot be "all"'],
    [['--ground-windows', '3'], 'nobody is asked to look'],
  ])('refuses %j', async (args, message) => {
    const { exit, stderr } = await run('search', 'a bird', ...args);
    expect([exit, stderr.includes(message)]).toEqual([2, true]);
  });
});

describe('longwatch summary', () => {
  it('gives sentences that lie in the video, and makes them once', async () => {
    const first = await run('summary', VIDEO_ID, '--json');
    const summary = JSON.parse(first.stdout);
    expect(first.exit).toBe(0);
    expect(summary).toMatchObject({ video_id: VIDEO_ID, model: 'tiny', cached: false });
    expect(summary.texts).toBeGreaterThan(1);
    for (const { start_s, end_s, precision_s } of summary.sentences) {
      expect(start_s >= 0 && start_s < end_s && end_s <= 30 && precision_s >= 0.25).toBe(true);
    }
    const again = await run('summary', VIDEO_ID, '--json');
    expect(JSON.parse(again.stdout)).toEqual({ ...summary, cached: true });
    expect((await run('summary', VIDEO_ID)).stderr).toContain('Written by tiny');
  });

  it('without a model shows the chapters and says so', async () => {
    const without = { env: { LONGWATCH_MODEL: 'none' } };
    const { exit, stdout } = await longwatch(['summary', VIDEO_ID, '--json', '--library', library], without);
    const said = JSON.parse(stdout);
    expect([exit, said.sentences]).toEqual([0, []]);
    expect(said.note).toContain('there is no model to write one');
    expect(said.chapters.length).toBeGreaterThan(1);
    const part = await longwatch(['summary', VIDEO_ID, '--to', '5', '--library', library], without);
    expect(part.stdout.trim().split('\n')).toHaveLength(1);
    expect(part.stderr).toContain('switched off in the settings');
  });

  it('refuses a stretch that ends before it begins', async () => {
    expect((await run('summary', VIDEO_ID, '--from', '5', '--to', '2')).exit).toBe(2);
  });
});

describe('longwatch ask', () => {
  it('answers with places in the video, or says that it is not shown', async () => {
    const { exit, stdout } = await run('ask', 'when is there a cut?', '--video', VIDEO_ID, '--json');
    const answer = JSON.parse(stdout);
    expect(answer).toMatchObject({ by: 'model', model: 'tiny' });
    expect(exit).toBe(answer.found ? 0 : 4);
    expect(answer.sentences.length > 0).toBe(answer.found);
    for (const { citations } of answer.sentences) {
      expect(citations.length).toBeGreaterThan(0);
      for (const { video_id, start_s, end_s } of citations)
        expect([video_id, start_s >= 0 && start_s < end_s && end_s <= 30]).toEqual([VIDEO_ID, true]);
    }
  });

  it('without a model quotes what stands at the places', async () => {
    const without = { env: { LONGWATCH_MODEL: 'none' } };
    const { exit, stdout, stderr } = await longwatch(['ask', 'when is there a cut?', '--library', library], without);
    expect([exit, stdout.split('\n').slice(0, 2)]).toEqual([
      0,
      [
        'cut',
        expect.stringMatching(/^ {2}0:00:\d\d\.\d{3} – 0:00:\d\d\.\d{3} {2}cut, .* \(521a78e22a40\), ±0\.\d{3} s$/),
      ],
    ]);
    expect(stderr).toContain('The sentences are what stands at the places that were found.');
  });

  it('says that the library does not show it', async () => {
    const { exit, stdout } = await run('ask', 'xylophone quartet in Vladivostok');
    expect([exit, stdout]).toEqual([4, 'The library does not show it.\n']);
    expect(JSON.parse((await run('ask', 'xylophone quartet in Vladivostok', '--json')).stdout)).toMatchObject({
      found: false,
      by: 'search',
      sentences: [],
    });
  });

  it('refuses an empty question', async () => {
    expect((await run('ask', ' ')).exit).toBe(2);
  });
});
