/** Where a closer look is worth its cost: windows of the library, as the hits of a search lead to them. */

import { LONGEST_WINDOW } from '../../ingest/plan/planner.js';
import { contains, intersect, overlaps, type TimeRange } from '../../src/time.js';
import type { Library } from '../library.js';
import type { SegmentRecord } from '../store/records.js';
import type { ParsedSearch } from './parse.js';
import type { SearchHit } from './types.js';

/** A window, or two short neighbours, cut to the part of the video that is asked about. */
export interface Stretch extends TimeRange {
  readonly videoId: string;
}

type Scope = Pick<ParsedSearch, 'scope' | 'groundWindows'>;

/**
 * At most `groundWindows` stretches that do not overlap, the most promising first. Hits that reach over several windows say less about where
 * to look, so the shorter ones lead first. Two windows become one stretch where a hit touches the edge between them and both fit into the
 * longest window there is: no model is shown more than it is shown on ingest. A scope of no more windows than may be looked at is looked at whole.
 * @param leads best first
 */
export async function stretchesOf(leads: readonly SearchHit[], library: Library, asked: Scope): Promise<Stretch[]> {
  const chosen: Stretch[] = [];
  const wide = (lead: SearchHit) => lead.end - lead.start > LONGEST_WINDOW;
  const inOrder = [...leads.filter((lead) => !wide(lead)), ...leads.filter(wide)];
  for (const lead of inOrder) {
    if (chosen.length >= asked.groundWindows) return chosen;
    for (const window of await windowsAt(lead, library, asked))
      add(chosen, window, asked, wide(lead) ? undefined : lead);
  }
  for (const window of await allWindows(library, asked)) add(chosen, window, asked, undefined);
  return chosen;
}

/** The window beside a stretch, or undefined where the video or what is asked about ends. */
export async function neighbourOf(
  { videoId, start, end }: Stretch,
  side: 'before' | 'after',
  library: Library,
  asked: Scope,
): Promise<Stretch | undefined> {
  const range = side === 'after' ? { start: end, end: end + INSTANT } : { start: start - INSTANT, end: start };
  return (await windowsIn(videoId, range, library, asked)).find((window) => !overlaps(window, { start, end }));
}

/** Shorter than any window, longer than rounding. */
const INSTANT = 1e-6;

/** The windows in which a lead lies. Where an edge of it may lie in the next one, as far as it is known, that too. */
async function windowsAt(lead: SearchHit, library: Library, asked: Scope): Promise<Stretch[]> {
  const inside = await windowsIn(lead.videoId, lead, library, asked);
  const [first] = inside;
  const last = inside.at(-1);
  // A caption of the whole window ends where the window does, and says nothing about the next one.
  if (!first || !last || (lead.start <= first.start && lead.end >= last.end)) return inside;
  const reach = reachOf(lead);
  return windowsIn(lead.videoId, reach, library, asked);
}

async function windowsIn(
  videoId: string,
  range: TimeRange,
  library: Library,
  { scope, groundWindows }: Scope,
): Promise<Stretch[]> {
  const asked = scope?.range ? intersect(range, scope.range) : range;
  if (!asked) return [];
  const { items } = await library.segments(videoId, { range: asked, limit: groundWindows + 1 });
  return items.flatMap((window) => cut(window, scope?.range));
}

function cut({ videoId, start, end }: SegmentRecord, range: TimeRange | undefined): Stretch[] {
  const piece = range ? intersect({ start, end }, range) : { start, end };
  return piece ? [{ videoId, ...piece }] : [];
}

function add(chosen: Stretch[], window: Stretch, { groundWindows }: Scope, lead: SearchHit | undefined): void {
  const beside = chosen.filter(({ videoId }) => videoId === window.videoId);
  if (beside.some((other) => overlaps(other, window))) return;
  const joined = beside.find((other) => lead && joins(other, window, lead));
  if (joined) {
    const { videoId } = window;
    const union = { start: Math.min(joined.start, window.start), end: Math.max(joined.end, window.end) };
    chosen[chosen.indexOf(joined)] = { videoId, ...union };
  } else if (chosen.length < groundWindows) {
    chosen.push(window);
  }
}

/** Whether the lead reaches to the edge at which the two meet, as far as its own edges are known. */
function joins(a: TimeRange, b: TimeRange, lead: SearchHit): boolean {
  const edge = a.end === b.start ? a.end : b.end === a.start ? b.end : undefined;
  if (edge === undefined || Math.max(a.end, b.end) - Math.min(a.start, b.start) > LONGEST_WINDOW) return false;
  return contains(reachOf(lead), edge);
}

/** As far as its edges may lie, the outermost instants included. */
function reachOf({ start, end, precision }: SearchHit): TimeRange {
  return { start: start - precision - INSTANT, end: end + precision + INSTANT };
}

/** Every window of the scope when there are no more than may be looked at, else none. */
async function allWindows(library: Library, asked: Scope): Promise<Stretch[]> {
  const { scope, groundWindows } = asked;
  const ids = scope?.videoIds ?? (await library.listVideos({ limit: groundWindows + 1 })).items.map(({ id }) => id);
  if (ids.length > groundWindows) return [];
  const windows: Stretch[] = [];
  for (const id of ids) {
    windows.push(...(await windowsIn(id, scope?.range ?? { start: 0, end: Number.MAX_SAFE_INTEGER }, library, asked)));
    if (windows.length > groundWindows) return [];
  }
  return windows;
}
