/** Edges that a model names, moved to what was measured beside them. Pure. */

import type { EventKind, MediaEvent } from './event.js';
import type { Seconds } from './time.js';

/** Where something begins or ends. */
export interface Edge {
  readonly at: Seconds;
  /** Half the distance that the true edge may lie away. */
  readonly precision: Seconds;
  /** The signal that it was moved to. */
  readonly signal?: EventKind;
}

/** Signals with edges to the frame. Fast motion is known to 0.4 s, no better than a model. */
export const SNAPPING_KINDS: readonly EventKind[] = ['cut', 'fade', 'dissolve', 'black', 'freeze', 'flash'];

/**
 * The edge at the nearest signal edge within its precision, where that makes it more precise; else as it is. With several signal edges in reach
 * any of them may be the one, so the precision then reaches to the farthest of them. That a happening begins or ends at the cut beside
 * its edge is a guess from how films are made; the signal itself is measured.
 */
export function snapEdge(edge: Edge, signals: readonly MediaEvent[]): Edge {
  const inReach = signals
    .flatMap(edgesOf)
    .filter(({ at }) => Math.abs(at - edge.at) <= edge.precision)
    .sort((a, b) => Math.abs(a.at - edge.at) - Math.abs(b.at - edge.at) || a.at - b.at);
  const [nearest] = inReach;
  if (!nearest) return edge;
  const precision = Math.max(nearest.precision, ...inReach.map(({ at }) => Math.abs(at - nearest.at)));
  return precision < edge.precision ? { ...nearest, precision } : edge;
}

/** Both edges of a stretch, each moved by `snap`; as they are where two that are drawn to one signal would leave nothing between them. */
export function snapBoth(
  edges: { readonly start: Edge; readonly end: Edge },
  snap: (edge: Edge) => Edge,
): { readonly start: Edge; readonly end: Edge } {
  const snapped = { start: snap(edges.start), end: snap(edges.end) };
  return snapped.start.at < snapped.end.at ? snapped : edges;
}

/** A cut is one edge: the first frame of the new shot, before which the old one ends. */
function edgesOf({ kind, start, end, precision }: MediaEvent): Edge[] {
  if (!SNAPPING_KINDS.includes(kind)) return [];
  const times = kind === 'cut' ? [start] : [start, end];
  return times.map((at) => ({ at, precision, signal: kind }));
}
