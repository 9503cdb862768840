/**
 * What the speech layer hears, beside the reference implementation on the same weights, and what it costs: word error rate, edges of sentences, processor
 * seconds, memory. Needs a native ffmpeg; `--said` also espeak-ng.
 *
 *   npm run bench:speech -- [--model tiny|base|small] [--reference OUT.json] [--truth TRUTH.json] [--said] RECORDING...
 *
 * OUT.json comes from `fixtures/speech/reference.py` with the same recordings; TRUTH.json holds {recording: text}.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { findNativeFfmpeg } from '../../ingest/video/choose.js';
import { FfmpegDecoder } from '../../ingest/video/ffmpeg-decoder.js';
import { NativeEngine } from '../../ingest/video/native-engine.js';
import type { MediaEvent } from '../../src/event.js';
import type { Layer } from '../../src/layers/layer.js';
import { openSpeechLayer } from '../../src/layers/speech/speech-layer.js';
import { overlaps } from '../../src/time.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    model: { type: 'string', default: 'tiny' },
    reference: { type: 'string' },
    truth: { type: 'string' },
    said: { type: 'boolean', default: false },
  },
});

const native = await findNativeFfmpeg((process.env['PATH'] ?? '').split(path.delimiter));
if (!native) throw new Error('There is no ffmpeg on the PATH.');
const decoder = new FfmpegDecoder(new NativeEngine(native));
const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-speech-bench-'));
const layer = await openSpeechLayer({ model: values.model, threads: 1 });

interface Hearing {
  readonly events: readonly MediaEvent[];
  readonly length: number;
  readonly cpu: number;
}

/** A video with the recording as its sound, without loss, so that the reference hears the same. */
function film(recording: string, name: string): string {
  const file = path.join(folder, `${name}.mp4`);
  const picture = ['-f', 'lavfi', '-i', 'color=s=64x64:r=5'];
  const coding = ['-shortest', '-c:v', 'libx264', '-preset', 'ultrafast', '-c:a', 'alac'];
  execFileSync('ffmpeg', ['-nostdin', '-v', 'error', '-y', ...picture, '-i', recording, ...coding, file]);
  return file;
}

async function hear(layer: Layer, file: string): Promise<Hearing> {
  const probe = await decoder.probe(file);
  const length = probe.claimedDuration ?? 0;
  const before = process.cpuUsage();
  const events: MediaEvent[] = [];
  const video = { path: file, probe, duration: length, firstFrameTime: 0 };
  for await (const stretch of layer.read(decoder, video, { from: 0 }))
    events.push(...stretch.events.map(({ event }) => event));
  const { user, system } = process.cpuUsage(before);
  return { events, length, cpu: (user + system) / 1e6 };
}

function wordsOf(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replaceAll(/\bmr\b/g, 'mister')
    .replaceAll('-', ' ');
  return plain.match(/[\p{L}\p{N}']+/gu) ?? [];
}

/** Fewest words to change, add and leave out (Levenshtein). */
function wordErrors(truth: readonly string[], heard: readonly string[]): number {
  let row = Array.from({ length: heard.length + 1 }, (_, index) => index);
  for (const [place, word] of truth.entries()) {
    const next = [place + 1];
    for (const [index, other] of heard.entries())
      next.push(
        Math.min((row[index] ?? 0) + (word === other ? 0 : 1), (row[index + 1] ?? 0) + 1, (next[index] ?? 0) + 1),
      );
    row = next;
  }
  return row.at(-1) ?? 0;
}

function percent(part: number, whole: number): string {
  return `${((100 * part) / whole).toFixed(1)} %`;
}

type Texts = Readonly<Record<string, string>>;

function readJson(file: string | undefined): Readonly<Record<string, unknown>> {
  return file === undefined ? {} : (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>);
}

async function compare(): Promise<void> {
  const truth = readJson(values.truth) as Texts;
  const reference = readJson(values.reference) as Readonly<Record<string, { readonly text: string }>>;
  const total = { words: 0, ours: 0, theirs: 0, length: 0, cpu: 0 };
  for (const [index, recording] of positionals.entries()) {
    const { events, length, cpu } = await hear(layer, film(recording, String(index)));
    const heard = wordsOf(events.map(({ text }) => text).join(' '));
    const theirs = wordsOf(reference[recording]?.text ?? '');
    const said = truth[recording];
    const against = said === undefined ? theirs : wordsOf(said);
    const errors = [wordErrors(against, heard), wordErrors(against, theirs)] as const;
    console.log(
      `${path.basename(recording)}: ${against.length} words, errors ${errors[0]} (reference ${errors[1]}), ` +
        `${length.toFixed(1)} s in ${cpu.toFixed(2)} s of processor`,
    );
    total.length += length;
    total.cpu += cpu;
    if (said === undefined) continue;
    total.words += against.length;
    total.ours += errors[0];
    total.theirs += errors[1];
  }
  if (total.words > 0)
    console.log(
      `word error rate over ${total.words} words: ${percent(total.ours, total.words)}, reference ${percent(total.theirs, total.words)}`,
    );
  if (total.length > 0) console.log(`processor seconds per second of sound: ${(total.cpu / total.length).toFixed(3)}`);
}

const SAID = [
  'The train leaves from platform seven.',
  'Nobody has seen the red umbrella.',
  'We will meet at the old bridge tomorrow morning.',
  'Please close the window.',
  'The committee has not decided yet, but the answer is expected soon.',
  'It rained all night.',
  'Where did you put the keys?',
  'There are three boats in the harbour and a lighthouse on the hill.',
];
const RATE = 22_050;

/** Sentences of a synthetic voice with silences of known length between them: where each edge lies is known to 10 ms. */
async function edges(): Promise<void> {
  const distances: { start: number; end: number }[] = [];
  for (const voice of ['en-us', 'en-gb', 'en-us+f3']) {
    const parts: Float32Array[] = [];
    const truth: { start: number; end: number }[] = [];
    let place = 0;
    const add = (samples: Float32Array) => {
      parts.push(samples);
      place += samples.length / RATE;
    };
    for (const [index, text] of SAID.entries()) {
      add(new Float32Array(Math.round(RATE * (0.4 + 0.23 * index))));
      const wav = execFileSync('espeak-ng', ['-v', voice, '-s', '150', '--stdout', text], { maxBuffer: 1 << 26 });
      const samples = Float32Array.from(new Int16Array(new Uint8Array(wav.subarray(44)).buffer), (v) => v / 32_768);
      const loud = (value: number) => Math.abs(value) > 0.01;
      truth.push({ start: place + samples.findIndex(loud) / RATE, end: place + samples.findLastIndex(loud) / RATE });
      add(samples);
    }
    add(new Float32Array(RATE));
    const raw = path.join(folder, 'said.f32');
    writeFileSync(
      raw,
      Buffer.concat(parts.map(({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength))),
    );
    const wav = path.join(folder, 'said.wav');
    execFileSync('ffmpeg', ['-v', 'error', '-y', '-f', 'f32le', '-ar', String(RATE), '-ac', '1', '-i', raw, wav]);
    const { events } = await hear(layer, film(wav, 'said'));
    for (const { start, end } of truth) {
      const near = events.filter((event) => overlaps(event, { start, end }));
      // Two sentences that were written as one have an edge less.
      const merged = truth.filter((other) => near.some((event) => overlaps(event, other)));
      const [event, second] = near;
      if (!event || second || merged.length !== 1) continue;
      distances.push({ start: event.start - start, end: event.end - end });
    }
    console.log(
      `${voice}: ${events.length} sentences heard of ${SAID.length}: ${events.map(({ text }) => text).join(' ')}`,
    );
  }
  for (const edge of ['start', 'end'] as const) {
    const sorted = distances.map((distance) => Math.abs(distance[edge])).sort((a, b) => a - b);
    const at = (share: number) => (sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(3);
    console.log(`${edge}: median ${at(0.5)} s, 90 % within ${at(0.9)} s, worst ${at(1)} s of ${sorted.length}`);
  }
}

try {
  await compare();
  if (values.said) await edges();
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '';
  const peak = /VmHWM:\s+(\d+)/.exec(status)?.[1];
  if (peak !== undefined) console.log(`most memory of the process: ${Math.round(Number(peak) / 1024)} MiB`);
} finally {
  await layer.close();
  rmSync(folder, { recursive: true });
}
