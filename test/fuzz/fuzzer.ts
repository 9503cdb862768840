/**
 * Ingests damaged copies of small clips, each judged by one rule: it is read, or refused with a code that says why. A crash, a hang, too
 * much memory, an `internal` error and a library that is no longer whole are findings.
 */

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { HostileClips } from '../../fixtures/hostile/clips.js';
import type { Decoder } from '../../ingest/video/decoder.js';
import { type Ingested, IngestProcess, type Limits } from './ingest-process.js';
import { Dice, mutated } from './mutation.js';

export interface FuzzOptions {
  readonly engine: Decoder['id'];
  readonly seed: number;
  /** Where the first input of this run stands in the row of the seed. @default 0 */
  readonly first?: number;
  /** Whether to go on after `tried` inputs. */
  readonly goOn: (tried: number) => boolean;
  readonly clips: HostileClips;
  readonly onFinding?: (finding: Finding) => void;
}

export interface Finding {
  readonly engine: Decoder['id'];
  readonly seed: number;
  /** Place in the row of the seed: the same seed and number give the same bytes. */
  readonly number: number;
  /** Name that the input had. */
  readonly name: string;
  readonly input: Uint8Array;
  readonly what: string;
}

export interface FuzzReport {
  readonly tried: number;
  /** How many were read. */
  readonly read: number;
  /** Refusals by code. */
  readonly refused: Readonly<Record<string, number>>;
  readonly peakMb: number;
  readonly slowest: number;
  readonly findings: readonly Finding[];
}

/** The decoder itself gives up after a minute without a frame; an input of a few kilobytes has no reason to come near that. */
const LIMITS: Limits = { time: 50, memoryMb: 900 };

const SUBTITLES = '1\n00:00:00,500 --> 00:00:01,500\nHello <i>there</i>\n';

/** What is damaged: every container that the product reads in numbers, with and without words. */
export function fuzzCorpus(clips: HostileClips): readonly (readonly [name: string, bytes: Uint8Array])[] {
  const { plain, web, fragmented, mkv, ts, flv, bare, avi, webm } = clips;
  const withWords = (name: string, codec: string) =>
    clips.made(name, { 'plain.mp4': plain, 'a.srt': SUBTITLES }, [
      ...['-i', 'plain.mp4', '-i', 'a.srt', '-map', '0', '-map', '1'],
      ...['-c:v', 'copy', '-c:s', codec, '-metadata', 'title=Words'],
    ]);
  const words = withWords('words.mkv', 'srt');
  const timed = withWords('words.mp4', 'mov_text');
  return Object.entries({
    'a.mp4': plain,
    'web.mp4': web,
    'words.mp4': timed,
    'fragmented.mp4': fragmented,
    'a.mkv': mkv,
    'words.mkv': words,
    'a.ts': ts,
    'a.flv': flv,
    'a.h264': bare,
    'a.avi': avi,
    'a.webm': webm,
    'a.gif': clips.encoded('a.gif', []),
    'a.asf': clips.encoded('a.asf', ['-c:v', 'wmv2']),
    'a.mpg': clips.encoded('a.mpg', ['-c:v', 'mpeg1video', '-r', '25']),
    // A subtitle file beside a sound clip.
    'a.srt': Buffer.from(SUBTITLES.repeat(20)),
    'a.vtt': Buffer.from(`WEBVTT\n\n${SUBTITLES.replaceAll(',', '.')}`.repeat(3)),
    'a.ass': Buffer.from(
      '[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Start, End, Text\nDialogue: 0:00:00.00,0:00:01.00,{\\b1}Hi\\Nyou\n'.repeat(
        3,
      ),
    ),
  });
}

const BESIDE = /\.(srt|vtt|ass)$/;

/** The input at this place in the row of the seed. */
export function fuzzInput(
  corpus: ReturnType<typeof fuzzCorpus>,
  seed: number,
  number: number,
): { readonly name: string; readonly bytes: Buffer } {
  const dice = new Dice(Math.imul(seed, 0x9e37_79b1) ^ Math.imul(number + 1, 0x85eb_ca6b));
  const [name, bytes] = dice.pick(corpus);
  return { name, bytes: mutated(bytes, dice) };
}

export async function fuzz({ engine, seed, first = 0, goOn, clips, onFinding }: FuzzOptions): Promise<FuzzReport> {
  const folder = mkdtempSync(path.join(tmpdir(), 'longwatch-fuzz-'));
  const [place, temporary] = [path.join(folder, 'input'), path.join(folder, 'temporary')];
  mkdirSync(temporary);
  const child = new IngestProcess(engine, path.join(folder, 'library'), temporary, LIMITS);
  const corpus = fuzzCorpus(clips);
  const refused: Record<string, number> = {};
  const findings: Finding[] = [];
  let [tried, read, peakMb, slowest] = [0, 0, 0, 0];
  const note = (number: number, name: string, input: Uint8Array, what: string) => {
    const finding = { engine, seed, number, name, input, what };
    findings.push(finding);
    onFinding?.(finding);
  };
  try {
    for (; goOn(tried); tried++) {
      const number = first + tried;
      const { name, bytes } = fuzzInput(corpus, seed, number);
      const file = layOut(place, name, bytes, clips.plain, number);
      const measured = await child.ingest(file);
      peakMb = Math.max(peakMb, measured.peakMb);
      slowest = Math.max(slowest, measured.took);
      const { ingested } = measured;
      if (ingested.kind === 'read') read++;
      else if (ingested.kind === 'refused') refused[ingested.code] = (refused[ingested.code] ?? 0) + 1;
      const what = fault(ingested);
      if (what !== undefined) note(number, name, bytes, what);
    }
    const { checks } = await child.check();
    for (const { name, detail } of checks.filter(({ ok }) => !ok))
      note(first + tried - 1, 'library', new Uint8Array(), `${name}: ${detail}`);
    for (const left of readdirSync(temporary))
      note(first + tried - 1, left, new Uint8Array(), 'a file was left behind');
    return { tried, read, refused, peakMb, slowest, findings };
  } finally {
    await child.close();
    rmSync(folder, { recursive: true });
  }
}

/** A subtitle file lies beside a clip that is sound, and new each time. Returns the video's path. */
function layOut(place: string, name: string, bytes: Uint8Array, plain: Uint8Array, number: number): string {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place);
  const file = path.join(place, name);
  writeFileSync(file, bytes);
  if (!BESIDE.test(name)) return file;
  const video = file.replace(BESIDE, '.mp4');
  const tail = Buffer.from(`\0\0\0\x10free00000000`);
  tail.writeUInt32BE(number, 8);
  writeFileSync(video, Buffer.concat([plain, tail]));
  return video;
}

/** Codes that blame the machine or the program, where it can only be the file. */
const OURS: ReadonlySet<string> = new Set([
  'internal',
  'overloaded',
  'decode_failed',
  'decode_timeout',
  'unreadable_file',
]);

/** What is wrong with how an ingest ended; undefined for a reading and for a refusal that keeps the rules. */
function fault(ingested: Ingested): string | undefined {
  if (ingested.kind === 'read') {
    const { duration, coverage, warnings, title } = ingested.video;
    if (!Number.isFinite(duration) || duration < 0) return `a duration of ${duration} s`;
    if (ingested.outcome === 'ingested' && (ingested.frames === 0 || coverage.length === 0))
      return 'read without a frame';
    const bad = [title, ...warnings, ...ingested.texts].find((text) => /\p{Cc}|<\|/u.test(text));
    return bad === undefined ? undefined : `control characters or tokens in ${JSON.stringify(bad)}`;
  }
  if (ingested.kind !== 'refused') return `${ingested.kind}: ${ingested.evidence}`;
  const { code, message, hint, stack } = ingested;
  if (OURS.has(code)) return `${code}: ${stack ?? message}`;
  if (!hint) return `${code} without a hint: ${message}`;
  return /\p{Cc}/u.test(message) ? `control characters in a message: ${JSON.stringify(message)}` : undefined;
}
