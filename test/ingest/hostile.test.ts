/** Every hostile file goes through a whole ingest, in a process of its own, and comes to what is stated beside it. */

import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WatchedBait } from '../../fixtures/hostile/bait.js';
import type { Outcome, Reading } from '../../fixtures/hostile/case.js';
import { HostileClips } from '../../fixtures/hostile/clips.js';
import { HOSTILE, layOut } from '../../fixtures/hostile/corpus.js';
import { roundToMilliseconds, subtractRanges } from '../../src/time.js';
import { type Ingested, IngestProcess } from '../fuzz/ingest-process.js';
import { DECODERS } from './video/engines.js';

/** Far above what any case takes on a slow machine, below the decoder's own limit for one that stands still. */
const TIME_LIMIT = 50;
/** The WebAssembly core alone takes 150 MB, a picture of 40 million pixels 120 MB a copy. */
const MEMORY_LIMIT_MB = 700;

type Read = Extract<Ingested, { kind: 'read' }>;

let clips: HostileClips;

beforeAll(async () => {
  clips = await HostileClips.open();
});

it('is at least 120 cases, each with a name of its own', () => {
  expect(new Set(HOSTILE.map(({ name }) => name)).size).toBe(HOSTILE.length);
  expect(HOSTILE.length).toBeGreaterThanOrEqual(120);
});

it('would notice somebody at the bait', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-bait-'));
  const bait = await WatchedBait.lay(folder);
  const { port, hostname } = new URL(bait.url);
  await once(connect(Number(port), hostname).resume(), 'close');
  expect(bait.take()).toEqual({ untouched: true, visits: 1 });
  expect(bait.take()).toEqual({ untouched: false, visits: 1 });
  bait.close();
  rmSync(folder, { recursive: true });
});

describe.each(DECODERS)('ingested with the $id decoder', ({ id, skipped }) => {
  describe.skipIf(skipped)('each', () => {
    const folder = mkdtempSync(path.join(tmpdir(), `longwatch-hostile-${id}-`));
    const temporary = path.join(folder, 'temporary');
    mkdirSync(temporary);
    const process = new IngestProcess(id, path.join(folder, 'library'), temporary, {
      time: TIME_LIMIT,
      memoryMb: MEMORY_LIMIT_MB,
    });
    const cases = HOSTILE.filter(({ everywhere }) => everywhere || id === 'native');
    const laid = new Map<string, readonly string[]>();
    let bait: WatchedBait;

    beforeAll(async () => {
      bait = await WatchedBait.lay(folder);
    });
    afterAll(async () => {
      await process.close();
      bait.close();
      rmSync(folder, { recursive: true });
    });

    it.each(cases.map((one) => [one.name, one] as const))('%s', async (name, one) => {
      const place = path.join(folder, String(laid.size));
      const file = layOut(one, place, clips, bait);
      laid.set(name, [place, ...readdirSync(place)]);
      const { ingested } = await process.ingest(file, { withExports: true });
      const expected = (id === 'wasm' ? one.wasm : undefined) ?? one.outcome;
      expect(verdict(ingested, expected)).toEqual(stated(expected));
      if (ingested.kind === 'refused') {
        expect(ingested.hint, 'says what to do next').toBeTruthy();
        expect(ingested.message, 'is one line').not.toMatch(/\p{Cc}/u);
      } else if (ingested.kind === 'read') checkExports(ingested);
    });

    it('has read nothing outside and asked nobody', () => {
      expect(bait.take()).toEqual({ untouched: true, visits: 0 });
    });

    it('has left no file behind', () => {
      expect(readdirSync(temporary)).toEqual([]);
      for (const [place, ...names] of laid.values()) expect(readdirSync(place ?? '')).toEqual(names);
    });

    it('has left the library whole', async () => {
      expect((await process.check()).checks.filter(({ ok }) => !ok)).toEqual([]);
    });
  });
});

/** What an ingest came to, as far as the outcome speaks of it. */
function verdict(ingested: Ingested, expected: Outcome): object {
  if (ingested.kind === 'refused') return { refused: ingested.code, ...unnamed(ingested) };
  if (ingested.kind !== 'read') return ingested;
  const { video, frames, texts } = ingested;
  if ('refused' in expected) return { frames, state: video.state, warnings: video.warnings };
  const whole = { start: 0, end: video.duration };
  return {
    frames: within(frames, expected.frames) ? expected.frames : frames,
    state: video.state,
    duration: roundToMilliseconds(video.duration),
    warnings: agree(video.warnings, expected.warnings ?? []) ? (expected.warnings ?? []) : video.warnings,
    ...(expected.shown && { shown: [video.width, video.height] }),
    ...(expected.gaps && {
      gaps: subtractRanges(whole, video.coverage).map(({ start, end }) => [start, end].map(roundToMilliseconds)),
    }),
    ...(expected.title !== undefined && { title: video.title }),
    ...(expected.says && { says: expected.says.filter((text) => texts.includes(text)) }),
  };
}

function stated(outcome: Outcome): object {
  return 'refused' in outcome ? outcome : { state: 'ready', duration: 3, warnings: [], ...outcome };
}

/** An error without a code of its own is a fault of ours, and its place is wanted. */
function unnamed({ code, stack }: Extract<Ingested, { kind: 'refused' }>): object {
  return code === 'internal' ? { stack } : {};
}

function within(frames: number, expected: Reading['frames']): boolean {
  return typeof expected === 'number' ? frames === expected : frames >= expected[0] && frames <= expected[1];
}

/** Every warning was expected, and every expected one came. */
function agree(warnings: readonly string[], expected: readonly RegExp[]): boolean {
  return (
    warnings.every((warning) => expected.some((pattern) => pattern.test(warning))) &&
    expected.every((pattern) => warnings.some((warning) => pattern.test(warning)))
  );
}

/** Line ends are all that a text file has of them. */
const CONTROLS = /[^\P{Cc}\r\n]/u;
const TOKEN = /<\|[^\n]*?\|>/;
const SRT = /^(?:\d+\r\n\d\d+:\d\d:\d\d,\d{3} --> \d\d+:\d\d:\d\d,\d{3}\r\n(?:(?!.*-->).+\r\n)+\r\n)*$/;
const VTT = /^WEBVTT\n\n(?:\d+\n\d\d+:\d\d:\d\d\.\d{3} --> \d\d+:\d\d:\d\d\.\d{3}\n(?:[^<>\n]+\n)+\n)*$/;

/** What was read can be written out, and nothing in it is an order to a terminal, a player or a model. */
function checkExports({ exports, video }: Read): void {
  const { srt = '', vtt = '', chapters = '', json = '' } = exports;
  for (const [format, text] of Object.entries(exports)) {
    expect(CONTROLS.exec(text), format).toBeNull();
    expect(TOKEN.exec(text), format).toBeNull();
  }
  expect(srt).toMatch(SRT);
  expect(vtt).toMatch(VTT);
  expect(chapters).toMatch(VTT);
  const document = JSON.parse(json, (_key, value: unknown) => {
    if (typeof value === 'string') expect(value).not.toMatch(/\p{Cc}|<\|/u);
    return value;
  });
  expect(document).toMatchObject({ schema_version: 1, video: { id: video.id, state: video.state } });
}
