/**
 * A question about the library, answered in sentences that each name the times they rest on: search finds the places, and a model says what
 * they hold. Without a model the places speak for themselves. What the search does not find is not answered. A question that follows others is
 * understood with them.
 */

import type { Library } from '../index/library.js';
import { MAX_QUERY_LENGTH } from '../index/search/parse.js';
import type { Grounding, SearchAnswer, Searcher, SearchHit } from '../index/search/types.js';
import type { Backend } from './backend.js';
import { LongwatchError, toLongwatchError } from './errors.js';
import type { EventKind } from './event.js';
import { inContext } from './follow-up.js';
import { reported } from './reported.js';
import { citeTask } from './tasks/cite.js';
import { MAX_TURNS, standaloneTask, type Turn } from './tasks/standalone.js';
import { runTask } from './tasks/task.js';
import type { VideoText } from './tasks/words.js';
import type { Milliseconds, Seconds, TimeRange } from './time.js';

export interface AskRequest {
  /** 1 to 1000 characters. */
  readonly question: string;
  /** @default the whole library */
  readonly videoIds?: readonly string[];
  /** Only videos that carry all of these tags. @default whether they carry any or not */
  readonly tags?: readonly string[];
  /** The conversation so far, in order; the last six turns are looked back on. @default none */
  readonly turns?: readonly Turn[];
  /** Whether the places have to be ones that the model has looked at again. Without a model they are not, with a note. @default false */
  readonly ground?: boolean;
}

/** A place in a video that speaks of what was asked. */
export interface Citation extends TimeRange {
  readonly videoId: string;
  readonly title: string;
  readonly kind: EventKind;
  /** What stands there. */
  readonly text: string;
  /** Half the distance that its true edges may lie away. */
  readonly precision: Seconds;
  /** What the model said of it when it looked again, and why the search led there. @default it did not */
  readonly why?: readonly string[];
}

export interface AskAnswer {
  readonly question: string;
  /** What was searched for, where that is not the question as it stands: it follows others. */
  readonly searchedFor?: string;
  /** False: the library does not show it. */
  readonly found: boolean;
  /**
   * Who says so. `model`: it read what stands at the places that were found, or looked again and saw nothing. `quotes`: no model; the sentences are
   * the words of those places. `search`: no place was found, and nobody was asked.
   */
  readonly by: 'model' | 'quotes' | 'search';
  readonly model?: string;
  /** None when nothing was found. Each has one citation or more, the best first. */
  readonly sentences: readonly { readonly text: string; readonly citations: readonly Citation[] }[];
  /** There when the model looked again. */
  readonly grounding?: Grounding;
  readonly took: Milliseconds;
  readonly note?: string;
}

/** An answer takes a model its time; the places are known at once, but where they are looked at again: before each look that is said. */
export type AskStep =
  | { readonly kind: 'looking'; readonly done: number; readonly total: number }
  | { readonly kind: 'found'; readonly citations: readonly Citation[] }
  | { readonly kind: 'answer'; readonly answer: AskAnswer };

export interface AskParts {
  readonly library: Library;
  readonly searcher: Searcher;
  /** The model, or why there is none; opened when something was found. @default there is none */
  readonly model?: () => Promise<{ readonly backend?: Backend; readonly missing?: string }>;
}

/** Places that are looked at. */
const HITS = 10;
/** Sentences without a model: beyond a few, `search` is the better list. */
const QUOTES = 5;
/** Texts from this far around a place are shown to the model with it. */
const AROUND: Seconds = 10;
const TEXTS_AROUND = 6;
const TEXT_KINDS: readonly EventKind[] = ['caption', 'activity', 'subtitle', 'speech', 'text'];

/**
 * First what was found, then the answer; before them, where places are looked at again, each look.
 * @throws {LongwatchError} as `Searcher.search`, with `/question` for what is wrong with the question; `bad_config` of a server. A model that
 * fails takes its sentences away, not the places: they are quoted then, with a note.
 */
export async function* ask(parts: AskParts, request: AskRequest, signal?: AbortSignal): AsyncGenerator<AskStep> {
  const begun = performance.now();
  const { search, searchedFor, notes } = yield* reported<AskStep, Found>((report) =>
    findInContext(parts, request, signal, (done, total) => report({ kind: 'looking', done, total })),
  );
  const { grounding } = search;
  const finish = (answer: Omit<AskAnswer, 'question' | 'took' | 'note'>): AskStep => ({
    kind: 'answer',
    answer: {
      question: request.question.trim(),
      ...(searchedFor === undefined ? {} : { searchedFor }),
      ...answer,
      ...(grounding ? { grounding } : {}),
      took: performance.now() - begun,
      ...(notes.length > 0 ? { note: notes.join(' ') } : {}),
    },
  });
  const hits = search.results.map((hit) => (grounding ? { ...citationOf(hit), why: hit.why } : citationOf(hit)));
  yield { kind: 'found', citations: hits };
  if (search.noMatch) {
    const by =
      grounding?.model === undefined ? { by: 'search' as const } : { by: 'model' as const, model: grounding.model };
    yield finish({ found: false, ...by, sentences: [] });
    return;
  }
  const quotes = { found: true, by: 'quotes', sentences: hits.slice(0, QUOTES).map(quote) } as const;
  const { backend, missing = 'There is no model.' } = (await parts.model?.()) ?? {};
  if (!backend) {
    notes.push(`The sentences are what stands at the places that were found. ${missing}`);
    yield finish(quotes);
    return;
  }
  const { id: model } = backend;
  try {
    const sources = [...hits, ...(await textsAround(parts.library, search.results))];
    const cited = await runTask(
      backend,
      citeTask,
      { question: search.query, notes: sources.map(noteOf(hits)) },
      signal,
    );
    const sentences = cited.sentences.map((sentence) => ({
      text: sentence.text,
      citations: sentence.notes.flatMap((position) => sources[position] ?? []),
    }));
    if (!cited.found)
      notes.push(`${model} found no answer at the ${hits.length} places that \`search\` shows for this question.`);
    yield finish({ found: cited.found, by: 'model', model, sentences });
  } catch (thrown) {
    const error = modelFailure(thrown);
    notes.push(`The sentences are what stands at the places that were found, since the model failed: ${error.message}`);
    yield finish(quotes);
  }
}

type OnLook = NonNullable<Parameters<Searcher['search']>[2]>;

interface Found {
  readonly search: SearchAnswer;
  /** Undefined when that is the question as it stands. */
  readonly searchedFor?: string;
  readonly notes: string[];
}

/** Searches for what a follow-up means; where only its words tell that, and nothing is found, for what it says. */
async function findInContext(
  parts: AskParts,
  request: AskRequest,
  signal: AbortSignal | undefined,
  onLook: OnLook,
): Promise<Found> {
  const { meant, by, note } = await meaningOf(parts, request, signal);
  const search = await find(parts.searcher, { ...request, question: meant ?? request.question }, signal, onLook);
  const notesOf = (found: SearchAnswer) => [note, found.note].filter((one) => one !== undefined);
  const understood: Found = { search, notes: notesOf(search), ...(meant === undefined ? {} : { searchedFor: meant }) };
  if (by !== 'words' || !search.noMatch) return understood;
  const plain = await find(parts.searcher, request, signal, onLook);
  return plain.noMatch ? understood : { search: plain, notes: notesOf(plain) };
}

/** What a question means, where that is not just what it says. */
interface Meaning {
  readonly meant?: string;
  readonly by?: 'model' | 'words';
  readonly note?: string;
}

/** What a question means that follows others, as a question of its own: by the model, else by its words. */
async function meaningOf(
  { model }: AskParts,
  { question, turns: all = [] }: AskRequest,
  signal: AbortSignal | undefined,
): Promise<Meaning> {
  const turns = all.slice(-MAX_TURNS);
  const asked = question.trim();
  // What is wrong with a question is for the search to say.
  if (turns.length === 0 || asked.length === 0 || asked.length > MAX_QUERY_LENGTH) return {};
  const byWords = (): Meaning => {
    const meant = inContext(asked, turns);
    return meant === undefined || meant.length > MAX_QUERY_LENGTH ? {} : { meant, by: 'words' };
  };
  const { backend } = (await model?.()) ?? {};
  if (!backend) return byWords();
  try {
    const meant = await runTask(backend, standaloneTask, { question: asked, turns }, signal);
    if (meant === '') return byWords();
    return meant === asked ? {} : { meant, by: 'model' };
  } catch (thrown) {
    const error = modelFailure(thrown);
    return { ...byWords(), note: `The question was understood by its words, since the model failed: ${error.message}` };
  }
}

/** @throws what no other way mends */
function modelFailure(thrown: unknown): LongwatchError {
  const error = toLongwatchError(thrown);
  if (error.code !== 'model_failed' && error.code !== 'overloaded') throw error;
  return error;
}

async function find(
  searcher: Searcher,
  { question, videoIds, tags, ground }: AskRequest,
  signal: AbortSignal | undefined,
  onLook: OnLook,
) {
  try {
    const request = {
      query: question,
      limit: HITS,
      ...(videoIds ? { videoIds } : {}),
      ...(tags ? { tags } : {}),
      ...(ground ? { ground } : {}),
    };
    return await searcher.search(request, signal, onLook);
  } catch (thrown) {
    if (!(thrown instanceof LongwatchError) || thrown.pointer !== '/query') throw thrown;
    const message = thrown.message.replace('query', 'question');
    throw new LongwatchError(thrown.code, message, {
      pointer: '/question',
      ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
    });
  }
}

function citationOf({ videoId, title, start, end, kind, text, precision }: Citation): Citation {
  return { videoId, title, start, end, kind, text, precision };
}

function quote(citation: Citation): AskAnswer['sentences'][number] {
  return { text: citation.text, citations: [citation] };
}

/** Words around the places, each once, place after place. */
async function textsAround(library: Library, hits: readonly SearchHit[]): Promise<Citation[]> {
  const known = new Set(hits.flatMap(({ eventIds }) => eventIds));
  const texts: Citation[] = [];
  for (const hit of hits) {
    const range = { start: Math.max(0, hit.start - AROUND), end: hit.end + AROUND };
    const page = await library.events(hit.videoId, { kinds: TEXT_KINDS, range, limit: 4 * TEXTS_AROUND });
    const fresh = page.items.filter(({ id }) => !known.has(id)).slice(0, TEXTS_AROUND);
    for (const { id } of fresh) known.add(id);
    texts.push(...fresh.map((event) => citationOf({ ...event, title: hit.title })));
  }
  return texts;
}

/** Says which video a note is of where there are several. */
function noteOf(hits: readonly Citation[]): (source: Citation) => VideoText {
  const videos = [...new Set(hits.map(({ videoId }) => videoId))];
  return ({ start, end, text, kind, videoId, why }) => ({
    start,
    end,
    text: why === undefined ? text : `${text} (${why.join('; ')})`,
    kind: videos.length === 1 ? kind : `${kind} of video ${videos.indexOf(videoId) + 1}`,
  });
}
