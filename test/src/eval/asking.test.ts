/** What a model is asked for a benchmark and how its answer is read, on real clips and pictures; the model itself is a script. */

import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderClip } from '../../../fixtures/clips/render.js';
import { chooseDecoder } from '../../../ingest/video/choose.js';
import type { BackendRequest } from '../../../src/backend.js';
import { chooseTask } from '../../../src/eval/asking/choose-task.js';
import { modelAsker } from '../../../src/eval/asking/model-asker.js';
import { sizeWithin } from '../../../src/eval/asking/still-picture.js';
import type { Item } from '../../../src/eval/item.js';
import { MediaFolder } from '../../../src/eval/media.js';
import type { Engine } from '../../../src/main.js';
import { encodeJpeg } from '../../../src/remote/jpeg.js';
import { encodePng } from '../../../src/remote/png.js';
import { type Script, ScriptedBackend, wordsOf } from '../tasks/scripted-backend.js';

const signal = new AbortController().signal;
const decoder = () => chooseDecoder({ kind: 'wasm', searchPath: [] });
/** 12 s at 10 fps, 160 × 90; the first frame stands at 5 s on the container's clock. */
const clip = () =>
  renderClip({
    name: 'eval-offset',
    container: 'mkv',
    timeBase: { num: 1, den: 1000 },
    pts: Array.from({ length: 120 }, (_, i) => 5000 + 100 * i),
  });

async function ask(item: Item, file: string, script: Script, folder = path.dirname(file), tokens = 100) {
  const backend = new ScriptedBackend(script);
  const engine = { model: async () => ({ backend }), decoder } as unknown as Engine;
  const asker = await modelAsker({ engine, tokens, groundWindows: 5, snap: true }, await MediaFolder.open(folder));
  const answer = await asker.ask(item, file, signal);
  return { answer, request: backend.requests[0] as BackendRequest, by: asker.by };
}

function videoOf({ parts }: BackendRequest) {
  const part = parts.find(({ kind }) => kind === 'video');
  return part?.kind === 'video' ? part.pictures.map(({ time }) => time) : [];
}

describe('a model that sees the whole video', () => {
  const grounding: Item = { kind: 'grounding', id: '1', media: 'x', query: 'a red door', spans: [] };

  it('gets frames from its start to its end within the token budget, and answers in media time', async () => {
    const { answer, request, by } = await ask(grounding, await clip(), () => '{"spans": [{"start": 2, "end": 4.5}]}');
    expect(answer).toEqual({ spans: [{ start: 2, end: 4.5 }] });
    expect(by).toBe('model, scripted, 100 tokens');
    const times = videoOf(request);
    // 84 × 56 pixels are 6 tokens a pair: 16 pairs, one frame every 0.375 s at the earliest.
    expect([times.length % 2, times.length <= 32, times[0]]).toEqual([0, true, 0]);
    expect(times.at(-1)).toBeGreaterThan(11);
    expect(wordsOf(request)).toContain('a red door');
  });

  it('gets the stretch that the question is about, and the subtitles of its frames', async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-subtitles-'));
    const cues = ['00:00:01,000 --> 00:00:03,000\ntoo early', '00:00:06,000 --> 00:00:08,000\n<i>right on time</i>'];
    writeFileSync(path.join(folder, 'abc.srt'), cues.map((cue, at) => `${at + 1}\n${cue}\n`).join('\n'));
    const item: Item = {
      kind: 'choice',
      id: '1',
      media: 'x',
      question: 'What is said?',
      options: ['nothing', 'something'],
      correct: 1,
      range: { start: 5, end: 9 },
      subtitles: 'abc.srt',
    };
    const { answer, request } = await ask(
      item,
      await clip(),
      () => ({ text: 'A', choiceProbabilities: [0.2, 0.8] }),
      folder,
    );
    expect(answer).toEqual({ choice: 'B', confidence: 0.8 });
    expect(videoOf(request).every((time) => time >= 5 && time < 9)).toBe(true);
    expect(request.choices).toEqual(['A', 'B']);
    const words = wordsOf(request);
    expect(words).toContain('A. nothing\nB. something\n');
    expect([words.includes('"right on time"'), words.includes('too early')]).toEqual([true, false]);
  });

  it('says so when the stretch lies outside', async () => {
    const item: Item = {
      kind: 'choice',
      id: '1',
      media: 'x',
      question: 'q',
      options: ['a', 'b'],
      correct: 0,
      range: { start: 50, end: 60 },
    };
    await expect(ask(item, await clip(), () => 'A')).rejects.toMatchObject({ code: 'bad_range' });
  });

  it('finds events', async () => {
    const { answer } = await ask(
      { kind: 'events', id: '1', media: 'x', truths: [] },
      await clip(),
      () => '{"events": [{"start": 1, "end": 2, "text": "a"}, {"start": 3, "end": 99, "text": "b"}]}',
    );
    expect(answer.spans?.[0]).toEqual({ start: 1, end: 2 });
    expect(answer.spans?.[1]?.end).toBeCloseTo(12, 0);
  });
});

describe('the letter of an option', () => {
  const input = { range: { start: 0, end: 1 }, pictures: [], question: 'q', options: ['a', 'b', 'c'] };
  const read = (text: string) => chooseTask.read({ text, finish: 'stop', promptTokens: 0, answerTokens: 0 }, input);

  it.each([
    ['B', 'B'],
    [' (c).', 'C'],
    ['A. A dog', 'A'],
    ['Answer: b', 'B'],
    ['Option C', 'C'],
    ['**B**', 'B'],
    ['D', undefined],
    ['A dog runs', undefined],
    ['because', undefined],
    ['', undefined],
  ])('is read from %j', (text, choice) => {
    expect(read(text)).toEqual(choice === undefined ? undefined : { choice });
  });
});

describe('a picture of a document', () => {
  const rgb = new Uint8Array(300 * 200 * 3).fill(40);
  // A white corner at the bottom right tells whether the picture is upright and whole.
  for (let y = 150; y < 200; y++) rgb.fill(255, (y * 300 + 200) * 3, (y * 300 + 300) * 3);
  const item: Item = { kind: 'document', id: '1', media: 'x', question: 'Which year?', answers: ['1998'] };

  it.each([
    ['page.png', () => encodePng({ width: 300, height: 200, rgb })],
    ['page.jpg', () => encodeJpeg({ width: 300, height: 200, rgb })],
  ])('%s is shown as large as the tokens allow', async (name, encode) => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'longwatch-page-')), name);
    writeFileSync(file, await encode());
    const { answer, request } = await ask(item, file, () => '{"answer": "1998"}', undefined, 40);
    expect(answer).toEqual({ answer: '1998' });
    const [part] = request.parts;
    if (part?.kind !== 'image') throw new Error('no picture was shown');
    const { width, height, rgb: shown } = part.picture;
    expect([width, height, shown.length]).toEqual([196, 140, 196 * 140 * 3]);
    expect(shown[0]).toBeLessThan(60);
    expect(shown.at(-1)).toBeGreaterThan(235);
  });

  it('of another format is refused, whatever its name', async () => {
    const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'longwatch-page-')), 'page.png');
    writeFileSync(file, '#EXTM3U\nfile:///etc/passwd\n');
    await expect(ask(item, file, () => '{}')).rejects.toMatchObject({ code: 'unsupported_media_type' });
  });

  it('is measured in whole tokens', () => {
    const backend = { pictureSize: () => ({ width: 56, height: 28 }), tokensPerPair: () => 2 };
    expect(sizeWithin(backend, { width: 2800, height: 2800 }, 100)).toEqual({ width: 280, height: 280 });
    expect(sizeWithin(backend, { width: 100, height: 10 }, 100)).toEqual({ width: 84, height: 28 });
  });
});
