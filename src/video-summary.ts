/**
 * What happens in a video, in a few sentences of a model, each with the stretch that it speaks of. It is made of the texts that the library
 * has (captions and activities of a model, subtitles, speech, text on screen, chapters); no frame is looked at again.
 */

import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Library } from '../index/library.js';
import type { EventRecord, SummarySentence, VideoRecord } from '../index/store/records.js';
import type { Backend } from './backend.js';
import { LongwatchError } from './errors.js';
import type { EventKind } from './event.js';
import { summarize } from './tasks/summary.js';
import type { Seconds, TimeRange } from './time.js';

export interface SummaryOptions {
  /** Only texts that overlap this stretch. @default the whole video */
  readonly range?: TimeRange;
  /** After each question to the model. Their number grows with the levels of the summary. */
  readonly onProgress?: (progress: { readonly done: number; readonly asks: number }) => void;
  readonly signal?: AbortSignal;
}

export interface VideoSummary {
  readonly model: string;
  /** In order; none when there are no texts, or the model had no words. */
  readonly sentences: readonly SummarySentence[];
  /** How many texts it is made of. */
  readonly texts: number;
  /** It was made before, of the same texts by the same model. */
  readonly cached: boolean;
}

/** Raised when the same texts would be put to the model in another way. */
const SUMMARY_VERSION = 1;
/** Summaries that are made at once. Each asks the model one question after the other. */
const RUNS_MAX = 4;
const PAGE = 500;

/** Texts about what happens, and how the model is told what kind of text it is. Tags speak of the file, signals of pixels. */
const TEXTS: Partial<Record<EventKind, (text: string) => string>> = {
  caption: (text) => text,
  activity: (text) => text,
  subtitle: (text) => `Said: ${text}`,
  speech: (text) => `Said: ${text}`,
  text: (text) => `On screen: ${text}`,
  chapter: (text) => `Chapter: ${text}`,
};

interface Run {
  readonly made: Promise<readonly SummarySentence[]>;
  readonly listeners: Set<NonNullable<SummaryOptions['onProgress']>>;
}

/** Makes summaries and keeps them in the library. Those who ask for one that is being made wait for the same. */
export class VideoSummaries {
  readonly #library: Library;
  readonly #backend: Backend;
  readonly #runs = new Map<string, Run>();
  readonly #closing = new AbortController();

  constructor(library: Library, backend: Backend) {
    this.#library = library;
    this.#backend = backend;
  }

  /**
   * A summary that has begun goes on when whoever asked for it leaves, and is there when they come back.
   * @throws {LongwatchError} `overloaded` when too many are being made; `cancelled`; as `Backend.ask`
   */
  async summary(video: VideoRecord, { range, onProgress, signal }: SummaryOptions = {}): Promise<VideoSummary> {
    const events = await this.#texts(video, range);
    const content = contentOf(this.#backend.id, events);
    const about = { model: this.#backend.id, texts: events.length };
    const known = events.length === 0 ? { sentences: [] } : await this.#library.getSummary(video.id, content);
    if (known) return { ...about, sentences: known.sentences, cached: events.length > 0 };
    const run = this.#runs.get(runKey(video, content)) ?? this.#start(video, content, events);
    if (onProgress) run.listeners.add(onProgress);
    try {
      return { ...about, sentences: await orCancelled(run.made, signal), cached: false };
    } finally {
      if (onProgress) run.listeners.delete(onProgress);
    }
  }

  /** Ends what is being made; whoever waits gets `cancelled`. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled([...this.#runs.values()].map(({ made }) => made));
  }

  #start(video: VideoRecord, content: string, events: readonly EventRecord[]): Run {
    if (this.#runs.size >= RUNS_MAX)
      throw new LongwatchError('overloaded', `${RUNS_MAX} summaries are being made already.`, {
        hint: 'Try again when they are done.',
      });
    const key = runKey(video, content);
    const listeners: Run['listeners'] = new Set();
    const made = this.#make(video, content, events, listeners).finally(() => this.#runs.delete(key));
    // Those who left do not hear of a failure; nobody else must crash of it.
    made.catch(() => undefined);
    const run = { made, listeners };
    this.#runs.set(key, run);
    return run;
  }

  async #make(
    video: VideoRecord,
    content: string,
    events: readonly EventRecord[],
    listeners: Run['listeners'],
  ): Promise<readonly SummarySentence[]> {
    const captions = events.map(({ start, end, kind, text }) => ({ start, end, text: TEXTS[kind]?.(text) ?? text }));
    const said = await summarize(
      this.#backend,
      { captions },
      {
        signal: this.#closing.signal,
        onProgress: (progress) => {
          for (const listener of listeners) listener(progress);
        },
      },
    );
    const precisionAt = edgePrecisions(events);
    const sentences = said.map(({ start, end, text }) => ({ start, end, precision: precisionAt(start, end), text }));
    // It may have been removed meanwhile.
    if (await this.#library.getVideo(video.id))
      await this.#library.putSummary(video.id, content, { model: this.#backend.id, sentences });
    return sentences;
  }

  async #texts(video: VideoRecord, range: TimeRange | undefined): Promise<EventRecord[]> {
    const kinds = Object.keys(TEXTS) as EventKind[];
    const events: EventRecord[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await this.#library.events(video.id, {
        kinds,
        limit: PAGE,
        ...(range ? { range } : {}),
        ...(cursor === undefined ? {} : { cursor }),
      });
      events.push(...page.items);
      cursor = page.nextCursor;
      if (cursor === undefined) return events;
      await setImmediate();
    }
  }
}

function runKey({ id }: VideoRecord, content: string): string {
  return `${id} ${content}`;
}

/** The same model and the same texts at the same times have the same summary. */
function contentOf(model: string, events: readonly EventRecord[]): string {
  const hash = createHash('sha256').update(JSON.stringify([SUMMARY_VERSION, model]));
  for (const { start, end, kind, text } of events) hash.update(JSON.stringify([start, end, kind, text]));
  return hash.digest('hex');
}

/** A sentence begins and ends where texts do, and is as precise as those. */
function edgePrecisions(events: readonly EventRecord[]): (start: Seconds, end: Seconds) => Seconds {
  const starts = new Map<Seconds, Seconds>();
  const ends = new Map<Seconds, Seconds>();
  const keep = (edges: Map<Seconds, Seconds>, at: Seconds, precision: Seconds) =>
    edges.set(at, Math.min(precision, edges.get(at) ?? precision));
  for (const { start, end, precision } of events) {
    keep(starts, start, precision);
    keep(ends, end, precision);
  }
  return (start, end) => Math.max(starts.get(start) ?? 0, ends.get(end) ?? 0);
}

/** @throws {LongwatchError} `cancelled` as soon as the signal aborts */
function orCancelled<T>(made: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return made;
  return new Promise((resolve, reject) => {
    const leave = () => reject(new LongwatchError('cancelled', 'Cancelled.', { cause: signal.reason }));
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    made.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}
