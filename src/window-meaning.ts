/** What a window means: the model's words as events of the video, and texts and frames as points in meaning space. */

import type { WindowWrite } from '../index/store/records.js';
import type { PlannedWindow } from '../ingest/plan/window.js';
import type { Picture } from '../ingest/video/frame.js';
import type { EventKind, MediaEvent } from './event.js';
import type { Embedder } from './meaning/embedder.js';
import { passages } from './meaning/passages.js';
import type { Model, WindowDescription } from './model.js';
import { type Edge, snapBoth, snapEdge } from './snapping.js';
import { intersect, type Seconds, type TimeRange } from './time.js';

export interface WindowMeaning {
  /** As it was planned, but with the frames that were shown. */
  readonly window: PlannedWindow;
  readonly caption: string;
  readonly model: string;
  readonly precision: Seconds;
  readonly events: readonly MediaEvent[];
}

/** Kinds whose words are worth a point in meaning space. A thousand cuts share one word; they are found by that word. */
const EMBEDDED_KINDS: ReadonlySet<EventKind> = new Set([
  'caption',
  'activity',
  'text',
  'speech',
  'subtitle',
  'chapter',
  'tag',
]);

/**
 * Asks the model about one window. Events that do not lie in the window at all are left out, others are cut to it.
 * @throws {LongwatchError} as `Model.describe`
 */
export async function describeWindow(
  model: Model,
  window: PlannedWindow,
  pictures: readonly Picture[],
  signal?: AbortSignal,
): Promise<WindowMeaning> {
  const range = { start: window.start, end: window.end };
  const description = await model.describe({ range, pictures }, signal);
  return {
    window: { ...window, frames: description.frames },
    caption: description.caption,
    model: model.id,
    precision: description.precision,
    events: modelEvents(description, range, model.id),
  };
}

/**
 * Events of a model with their edges at the window's signals beside them, where that makes them more precise; see `snapEdge`. None leaves the
 * window; captions keep its edges. Which edges were moved stands in the attributes `start_snapped_to` and `end_snapped_to`.
 */
export function snapToSignals(
  events: readonly MediaEvent[],
  signals: readonly MediaEvent[],
  window: TimeRange,
): MediaEvent[] {
  const snap = (edge: Edge) => {
    const snapped = snapEdge(edge, signals);
    return window.start <= snapped.at && snapped.at <= window.end ? snapped : edge;
  };
  return events.map((event) => {
    if (event.kind !== 'activity') return event;
    const { precision } = event;
    const named = { start: { at: event.start, precision }, end: { at: event.end, precision } };
    const { start, end } = snapBoth(named, snap);
    if (!start.signal && !end.signal) return event;
    return {
      ...event,
      start: start.at,
      end: end.at,
      precision: Math.max(start.precision, end.precision),
      attributes: {
        ...event.attributes,
        ...(start.signal ? { start_snapped_to: start.signal } : {}),
        ...(end.signal ? { end_snapped_to: end.signal } : {}),
      },
    };
  });
}

function modelEvents(
  description: WindowDescription,
  window: { start: Seconds; end: Seconds },
  model: string,
): MediaEvent[] {
  const common = { source: 'model', model, attributes: {} } as const;
  const events: MediaEvent[] = [];
  if (description.caption.trim() !== '')
    events.push({
      ...common,
      ...window,
      precision: description.precision,
      kind: 'caption',
      text: description.caption.trim(),
    });
  for (const { start, end, text, precision, confidence } of description.events) {
    const inside = intersect({ start, end }, window);
    if (!inside || text.trim() === '') continue;
    events.push({
      ...common,
      ...inside,
      precision,
      kind: 'activity',
      text: text.trim(),
      ...(confidence === undefined ? {} : { confidence }),
    });
  }
  return events;
}

/**
 * Events with the embeddings of their texts, ready to be written; see `passages` for what of them is embedded. Equal texts are embedded once. Where the embedder knows frames, the
 * caption, which speaks of the whole window, carries what the window looks like.
 * @param pictures of the window, in pairs; none when no model is installed
 * @param known what need not be embedded again
 * @throws {LongwatchError} `model_failed`, `cancelled`
 */
export async function embedEvents(
  embedder: Embedder | undefined,
  events: readonly MediaEvent[],
  pictures: readonly Picture[],
  signal?: AbortSignal,
  known: KnownPoints = NOTHING_KNOWN,
): Promise<WindowWrite['events']> {
  if (!embedder) return events.map((event) => ({ event }));
  const vectors = await embedTexts(embedder, events, signal, known.texts);
  const frames = events.some(showsWindow)
    ? (known.frames ?? (await embedFrames(embedder, pictures, signal)))
    : undefined;
  return events.map((event, position) => {
    const embedding = vectors[position];
    const frameEmbedding = showsWindow(event) ? frames : undefined;
    return { event, ...(embedding && { embedding }), ...(frameEmbedding && { frameEmbedding }) };
  });
}

/** Points that are there already: of what is embedded for a text, and of a window's frames. */
export interface KnownPoints {
  readonly texts: ReadonlyMap<string, Float32Array>;
  readonly frames?: WindowWrite['events'][number]['frameEmbedding'];
}

const NOTHING_KNOWN: KnownPoints = { texts: new Map() };

/** The points of a window that is written. */
export function pointsOf(rows: WindowWrite['events']): KnownPoints {
  const meant = passages(rows.map(({ event }) => event));
  const texts = new Map(
    rows.flatMap(({ embedding }, position) => (embedding ? [[meant[position] ?? '', embedding]] : [])),
  );
  const frames = rows.find(({ event }) => showsWindow(event))?.frameEmbedding;
  return { texts, ...(frames ? { frames } : {}) };
}

/**
 * One vector for each event that is searched by its meaning, in order.
 * @param events of one window or stretch, as they are stored
 * @throws {LongwatchError} `model_failed`, `cancelled`
 */
export async function embedTexts(
  embedder: Embedder,
  events: readonly MediaEvent[],
  signal?: AbortSignal,
  known: KnownPoints['texts'] = NOTHING_KNOWN.texts,
): Promise<(Float32Array | undefined)[]> {
  const meant = passages(events);
  const wanted = new Set(meant.filter((_, position) => EMBEDDED_KINDS.has(events[position]?.kind ?? 'cut')));
  const texts = [...wanted].filter((text) => !known.has(text));
  const vectors = texts.length === 0 ? [] : await embedder.embed(texts, signal);
  const byText = new Map([...known, ...texts.map((text, position) => [text, vectors[position]] as const)]);
  return events.map(({ kind }, position) => (EMBEDDED_KINDS.has(kind) ? byText.get(meant[position] ?? '') : undefined));
}

function showsWindow({ kind }: MediaEvent): boolean {
  return kind === 'caption';
}

async function embedFrames(
  { frames }: Embedder,
  pictures: readonly Picture[],
  signal: AbortSignal | undefined,
): Promise<WindowWrite['events'][number]['frameEmbedding']> {
  if (!frames || pictures.length === 0) return undefined;
  const [vector] = await frames.embed([pictures], signal);
  return vector && { embedderId: frames.id, vector };
}
