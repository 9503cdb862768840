/**
 * A search whose hits the model has looked at again: the search says where to look, the model says when it sees it there, and signals sharpen
 * the edges. What it does not see is no answer. Without a model, or when it fails, the search's own answer stands, with a note.
 */

import type { Library } from '../index/library.js';
import { bestOfEachVideo } from '../index/search/hits.js';
import type { LibrarySearcher, Survey } from '../index/search/searcher.js';
import type { SearchAnswer, Searcher, SearchHit } from '../index/search/types.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import { LONGEST_WINDOW } from '../ingest/plan/planner.js';
import type { Decoder } from '../ingest/video/decoder.js';
import type { Backend } from './backend.js';
import {
  type CloserLook,
  joinSightings,
  type LookOptions,
  lookCloser,
  orFailure,
  type Sighting,
} from './closer-look.js';
import { LongwatchError } from './errors.js';
import type { Edge } from './snapping.js';
import { overlaps } from './time.js';

export interface GroundedSearchParts {
  readonly library: Library;
  readonly searcher: LibrarySearcher;
  /** Opened when something is to be looked at. */
  readonly decoder: () => Promise<Decoder>;
  /** Where videos at `s3://` places are. @default nowhere */
  readonly objects?: ObjectStore;
  /** The model, or why there is none; opened when something is to be looked at. */
  readonly model: () => Promise<{ readonly backend?: Backend; readonly missing?: string; readonly notice?: string }>;
}

/**
 * Probability from which a sighting is a hit; below it is a near miss. "Rather yes than no", not calibrated: how often a model is right at which
 * score has to be measured, and differs between models.
 */
export const GROUND_MINIMUM = 0.5;

/**
 * A searcher that grounds when it is asked to.
 * @throws {LongwatchError} as `Searcher.search`; a model or a file that fails is a note, not an error
 */
export function groundedSearcher(parts: GroundedSearchParts): Searcher {
  return {
    async search(request, signal, onLook) {
      if (!request.ground) return parts.searcher.search(request, signal);
      const begun = performance.now();
      const survey = await parts.searcher.survey(request, signal);
      const answer = await grounded(parts, survey, { signal, onLook });
      return { ...answer, took: performance.now() - begun };
    },
  };
}

async function grounded(
  { library, ...parts }: GroundedSearchParts,
  survey: Survey,
  options: LookOptions,
): Promise<SearchAnswer> {
  const { answer, asked, stretches } = survey;
  if (stretches.length === 0) {
    const note = withNotes(answer.note, 'Nothing was looked at, since nothing in the library leads anywhere.');
    return { ...answer, note, grounding: { complete: true, windows: [] }, nearMisses: [] };
  }
  const plain = (why: string): SearchAnswer => ({
    ...answer,
    note: withNotes(answer.note, `Not looked at again: ${why}`),
  });
  const opened = await orFailure(Promise.all([parts.model(), parts.decoder()]), options.signal);
  if (opened instanceof LongwatchError) return plain(inFull(opened));
  const [{ backend, missing = '', notice }, decoder] = opened;
  if (!backend) return plain(`there is no model to look with. ${missing}`.trim());

  const minimum = Math.max(GROUND_MINIMUM, asked.minScore);
  const look = await lookCloser(
    { library, backend, decoder, objects: parts.objects },
    asked,
    stretches,
    minimum,
    options,
  );
  const [failure] = failuresOf(look);
  if (look.looked.length === 0 && failure) return plain(inFull(failure));
  return answerOf(survey, look, { minimum, model: backend.id, library, notice });
}

interface Judging {
  /** Score from which a sighting is a hit. */
  readonly minimum: number;
  readonly model: string;
  readonly library: Library;
  readonly notice: string | undefined;
}

async function answerOf(survey: Survey, look: CloserLook, judging: Judging): Promise<SearchAnswer> {
  const { asked, answer, placement } = survey;
  const { minimum, model, notice } = judging;
  const isHit = ({ score = GROUND_MINIMUM }: Sighting) => score >= minimum;
  const toHits = (sightings: readonly Sighting[]) =>
    Promise.all([...sightings].sort(bySureness).map((sighting) => hitOf(sighting, survey, judging)));
  const sure = await toHits(joinSightings(look.sightings.filter(isHit)));
  const seen = placement ? placement.pick(sure) : sure;
  const unlikely = await toHits(look.sightings.filter((sighting) => !isHit(sighting)));
  const others = survey.hits.filter((hit) => ![...seen, ...unlikely].some((other) => sharesTime(hit, other)));
  const unseen = others.filter((hit) => isLookedAt(hit, look)).map((hit) => withReason(hit, `not seen by ${model}`));
  const unlooked = others.filter((hit) => !isLookedAt(hit, look)).map((hit) => withReason(hit, 'not looked at'));
  const complete = failuresOf(look).length === 0;
  const whole = (hits: readonly SearchHit[]) => (asked.onePerVideo ? bestOfEachVideo(hits) : hits);
  const page = (hits: readonly SearchHit[]) => whole(hits).slice(0, asked.limit);
  // Half a look that sees nothing is no "no match": what the model was not shown stays an answer of the search.
  const found = seen.length === 0 && !complete ? unlooked.filter((hit) => hit.score >= asked.minScore) : seen;
  const results = page(found);
  const verdict = seen.length === 0 ? verdictOf(look, model, unlikely.length > 0) : '';
  const note = withNotes(verdict, ...troublesOf(look), notice, survey.remark);
  return {
    query: answer.query,
    took: answer.took,
    mode: answer.mode,
    results,
    count: whole(found).length,
    noMatch: results.length === 0,
    grounding: {
      model,
      complete,
      windows: look.looked.map(({ stretch, found }) => ({ ...stretch, found })),
    },
    nearMisses: page([...unlikely, ...unseen, ...unlooked].filter((hit) => !results.includes(hit))),
    ...(note === '' ? {} : { note }),
  };
}

/** The surest first; equal ones in the order in which the search led to them, then in time. */
function bySureness(a: Sighting, b: Sighting): number {
  return (b.score ?? GROUND_MINIMUM) - (a.score ?? GROUND_MINIMUM) || a.rank - b.rank || a.start.at - b.start.at;
}

/** Times and score are the model's. The words are those of the best hit at that time, else the question's, to which the model said yes. */
async function hitOf(
  sighting: Sighting,
  { asked, hits, placement }: Survey,
  { model, library }: Judging,
): Promise<SearchHit> {
  const { videoId, start, end, score = GROUND_MINIMUM } = sighting;
  const place = { videoId, start: start.at, end: end.at };
  const there = hits.filter((hit) => sharesTime(hit, place) && hit.end - hit.start <= LONGEST_WINDOW);
  const [best] = there;
  const video = await library.getVideo(videoId);
  const how = sighting.score === undefined ? 'not scored' : `score ${score.toFixed(2)}`;
  return {
    ...place,
    path: video?.path ?? '',
    title: video?.title ?? '',
    score,
    kind: 'activity',
    source: 'model',
    text: best?.text ?? asked.lookFor,
    why: [
      `grounded by ${model}, ${how}`,
      ...snappedWords('start', start),
      ...snappedWords('end', end),
      ...(start.open ? ['may begin earlier, where nothing was looked at'] : []),
      ...(end.open ? ['may last longer, where nothing was looked at'] : []),
      ...(best?.why ?? placement?.why(videoId) ?? []),
    ],
    precision: Math.max(start.precision, end.precision),
    eventIds: [...new Set(there.flatMap(({ eventIds }) => eventIds))],
  };
}

function snappedWords(side: 'start' | 'end', { signal }: Edge): string[] {
  if (signal === undefined) return [];
  return [`${side} snapped to a ${signal === 'black' ? 'black screen' : signal}`];
}

function isLookedAt(hit: SearchHit, { looked }: CloserLook): boolean {
  return looked.some(({ stretch }) => sharesTime(hit, stretch));
}

function withReason(hit: SearchHit, reason: string): SearchHit {
  return { ...hit, why: [...hit.why, reason] };
}

type Place = Pick<SearchHit, 'videoId' | 'start' | 'end'>;

function sharesTime(a: Place, b: Place): boolean {
  return a.videoId === b.videoId && overlaps(a, b);
}

function verdictOf({ looked }: CloserLook, model: string, doubts: boolean): string {
  const verdict = doubts ? 'is not sure enough of it in any of them' : 'sees it in none of them';
  return `${model} looked at ${windows(looked.length)} and ${verdict}.`;
}

/** Why not everything was looked at. */
function failuresOf({ unread, stopped }: CloserLook): LongwatchError[] {
  return stopped ? [stopped, ...unread] : [...unread];
}

function troublesOf({ looked, unread, stopped }: CloserLook): string[] {
  const [first] = unread;
  return [
    ...(first ? [`${windows(unread.length)} could not be looked at: ${inFull(first)}`] : []),
    ...(stopped ? [`The look ended after ${windows(looked.length)}: ${inFull(stopped)}`] : []),
  ];
}

function windows(count: number): string {
  return `${count} ${count === 1 ? 'window' : 'windows'}`;
}

function inFull({ message, hint }: LongwatchError): string {
  return hint === undefined ? message : `${message} ${hint}`;
}

function withNotes(...notes: readonly (string | undefined)[]): string {
  return notes.filter((note) => note !== undefined && note !== '').join(' ');
}
