/** A passage of sound → what is said in it, sentence by sentence. */

import { deflateSync } from 'node:zlib';
import { SOUND_RATE } from '../../../ingest/video/decoder.js';
import { durationOf, intersect, overlaps, type Seconds, type TimeRange } from '../../time.js';
import type { TokenizerFile } from '../../tokenizer-file.js';
import { WINDOW_SAMPLES } from './log-mel.js';
import type { SpeechRuntime } from './speech-runtime.js';
import type { HeardWindow, Writing, WritingRequest } from './speech-thread.js';
import { TIME_STEP } from './timestamp-rules.js';
import { joinWords, splitSentences, type TimedToken, type Word } from './words.js';

/** Tried in turn until what is written is believed: the most probable text, then drawn ones. */
const TEMPERATURES = [0, 0.4, 0.8];
/** The reference implementation's limits: text that packs better repeats itself, text less probable was not understood. */
const MOST_COMPRESSION = 2.4;
const LEAST_MEAN_LOG_PROBABILITY = -1;
/** More probable than this, and the text not understood: there is no speech. */
const NO_SPEECH = 0.6;
/** The same word this often in a row is a loop that is too short to pack well. */
const LONGEST_RUN = 5;
/** A language that the file names is believed unless it is less probable than this. */
const LEAST_NAMED_LANGUAGE = 0.1;

/** The next window begins at least this many samples further, whatever the model says. */
const LEAST_ADVANCE = SOUND_RATE;

/** Whisper's times of segments are rounded; its words may reach this much behind them. */
const SEGMENT_GRACE: Seconds = 0.2;
/** Shorter speech may be a breath. */
const LEAST_HEARABLE: Seconds = 0.4;

/** An edge moves to the beginning or the end of speech that lies no further than this. */
const SNAP: Seconds = 0.5;
/** At least this share of a sentence must lie where somebody speaks. */
const LEAST_SPOKEN = 0.3;

export interface Sentence extends TimeRange {
  readonly text: string;
  /** ISO 639-1, or Whisper's own code. */
  readonly language: string;
  /** Start and end of each word of `text`, in order. */
  readonly words: readonly Word[];
}

export class Transcriber {
  constructor(
    readonly runtime: SpeechRuntime,
    readonly tokenizer: TokenizerFile,
  ) {}

  /**
   * @param samples of the passage, which begins and ends in silence
   * @param speech stretches of speech in it, in seconds from its start
   * @param named language that the file states, as Whisper's code
   * @returns sentences in order, in seconds from the start of the passage
   * @throws {LongwatchError} as `Session.run`
   */
  async transcribe(
    samples: Float32Array,
    speech: readonly TimeRange[],
    named: string | undefined,
    signal?: AbortSignal,
  ): Promise<Sentence[]> {
    const sentences: Sentence[] = [];
    // Most passages are one window. A longer one is heard window by window, each from where the last whole segment of the one before ended.
    for (let start = 0; start < samples.length; ) {
      // A copy: a view would take all samples with it to the thread.
      const window = samples.slice(start, start + WINDOW_SAMPLES);
      const last = start + window.length >= samples.length;
      const heard = await this.runtime.hear(window, signal);
      const language = chooseLanguage(heard, named);
      const offset = start / SOUND_RATE;
      const length = window.length / SOUND_RATE;
      const lastSpeech = last ? lastHearable(speech, { start: offset, end: offset + length }) : 0;
      const writing = await this.#believed(heard, { language, lastSpeech }, signal);
      const { words, read } = this.#words(writing, language, length, last);
      const placed = words.map((word) =>
        withinSpeech({ ...word, start: offset + word.start, end: offset + word.end }, speech),
      );
      sentences.push(...toSentences(placed, speech, language));
      start += Math.max(LEAST_ADVANCE, Math.round(read * SOUND_RATE));
    }
    return sentences;
  }

  async #believed(
    heard: HeardWindow,
    request: Pick<WritingRequest, 'language' | 'lastSpeech'>,
    signal: AbortSignal | undefined,
  ): Promise<Writing | undefined> {
    for (const [attempt, temperature] of TEMPERATURES.entries()) {
      const writing = await this.runtime.write({ ...request, temperature, seed: attempt }, signal);
      const understood = writing.meanLogProbability >= LEAST_MEAN_LOG_PROBABILITY;
      if (heard.noSpeech > NO_SPEECH && !understood) return undefined;
      if (understood && !repeatsItself(this.#text(writing.ids))) return writing;
    }
    return undefined;
  }

  #text(ids: readonly number[]): string {
    const { firstTime } = this.runtime.shape.tokens;
    const bytes = ids.filter((id) => id < firstTime).map((id) => this.tokenizer.bytes(id));
    return Buffer.concat(bytes).toString('utf8');
  }

  /** Words of a window, and how much of it they are all the words of. */
  #words(
    writing: Writing | undefined,
    language: string,
    length: Seconds,
    last: boolean,
  ): { words: Word[]; read: Seconds } {
    if (!writing) return { words: [], read: length };
    const { firstTime } = this.runtime.shape.tokens;
    const { ids, starts } = writing;
    const read = last ? undefined : lastWholeSegment(ids, firstTime);
    const kept = ids.slice(0, read?.count ?? ids.length);
    const end = (starts[kept.filter((id) => id < firstTime).length] ?? length / TIME_STEP) * TIME_STEP;
    const tokens: TimedToken[] = [];
    // From the back, since the end of a segment stands behind it.
    let limit = Math.min(end, length);
    for (const id of kept.toReversed()) {
      if (id >= firstTime) limit = Math.min(length, (id - firstTime) * TIME_STEP + SEGMENT_GRACE);
      else tokens.push({ bytes: this.tokenizer.bytes(id), start: 0, limit: Math.min(end, limit) });
    }
    tokens.reverse();
    const timed = tokens.map((token, index) => ({ ...token, start: (starts[index] ?? 0) * TIME_STEP }));
    return { words: joinWords(timed, language), read: read?.end ?? length };
  }
}

/** What lies before the last pair of times, or undefined when the text ends with a single time or has no pair. */
function lastWholeSegment(ids: readonly number[], firstTime: number): { count: number; end: Seconds } | undefined {
  const isTime = (index: number) => (ids[index] ?? 0) >= firstTime;
  if (isTime(ids.length - 1) && !isTime(ids.length - 2)) return undefined;
  for (let index = ids.length - 1; index > 0; index--)
    if (isTime(index) && isTime(index - 1))
      return { count: index, end: ((ids[index - 1] ?? firstTime) - firstTime) * TIME_STEP };
  return undefined;
}

function chooseLanguage({ languages }: HeardWindow, named: string | undefined): string {
  if (named !== undefined && (languages[named] ?? 0) >= LEAST_NAMED_LANGUAGE) return named;
  return Object.entries(languages).reduce((best, next) => (next[1] > best[1] ? next : best), ['en', 0] as [
    string,
    number,
  ])[0];
}

function repeatsItself(text: string): boolean {
  const bytes = Buffer.from(text);
  if (bytes.length > 0 && bytes.length / deflateSync(bytes).length > MOST_COMPRESSION) return true;
  const words = text.toLowerCase().match(/[\p{L}\p{N}']+/gu) ?? [];
  let run = 0;
  for (const [index, word] of words.entries()) {
    run = word === words[index - 1] ? run + 1 : 1;
    if (run >= LONGEST_RUN) return true;
  }
  return false;
}

/** The middle of the last stretch that Whisper can be expected to hear; its text must reach that far. */
function lastHearable(speech: readonly TimeRange[], window: TimeRange): Seconds {
  const last = speech.findLast((stretch) => overlaps(stretch, window) && durationOf(stretch) >= LEAST_HEARABLE);
  return last ? Math.max(0, (last.start + Math.min(last.end, window.end)) / 2 - window.start) : 0;
}

/** Silence that was counted to a word is taken from it: it was said in one of the stretches that it touches. */
function withinSpeech(word: Word, speech: readonly TimeRange[]): Word {
  const parts = speech.flatMap((stretch) => intersect(word, stretch) ?? []);
  if (parts.length === 0) return word;
  return { ...word, ...parts.reduce((a, b) => (durationOf(b) > durationOf(a) ? b : a)) };
}

/** Sentences with their edges where speech begins and ends; what was written about silence is dropped. */
function toSentences(words: readonly Word[], speech: readonly TimeRange[], language: string): Sentence[] {
  const parts = splitSentences(words).filter((part) => part.some(({ text }) => /[\p{L}\p{N}]/u.test(text)));
  return parts.flatMap((part, index) => {
    const text = part
      .map((word) => word.text)
      .join('')
      .replace(/\s+/gu, ' ')
      .trim();
    const said = { start: part[0]?.start ?? 0, end: part.at(-1)?.end ?? 0 };
    const before = parts[index - 1]?.at(-1)?.end ?? -Infinity;
    const after = parts[index + 1]?.[0]?.start ?? Infinity;
    const range = snap(said, speech, before, after);
    if (!range) return [];
    return [{ ...range, text, language, words: part }];
  });
}

function snap(said: TimeRange, speech: readonly TimeRange[], before: Seconds, after: Seconds): TimeRange | undefined {
  const spoken = speech.filter(({ start, end }) => start < said.end + SNAP && end > said.start - SNAP);
  const first = spoken.find(({ end }) => end > said.start);
  const last = spoken.findLast(({ start }) => start < said.end);
  if (!first || !last || first.start > said.end + SNAP) return undefined;
  let { start, end } = said;
  // In silence: speech begins later. In speech that has just begun: the word began with it, unless it was another's.
  if (first.start > start || (start - first.start <= SNAP && first.start >= before - SNAP / 2)) start = first.start;
  if (last.end < end || (last.end - end <= SNAP && last.end <= after + SNAP / 2)) end = last.end;
  if (end <= start) return undefined;
  const covered = speech.reduce(
    (sum, part) => sum + Math.max(0, Math.min(end, part.end) - Math.max(start, part.start)),
    0,
  );
  return covered >= LEAST_SPOKEN * (end - start) ? { start, end } : undefined;
}
