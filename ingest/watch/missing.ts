/** Videos whose files lay in watched places and do not show their content there any more: they moved to a copy, or are missing. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type LongwatchError, toLongwatchError } from '../../src/errors.js';
import type { FileState } from '../jobs/job.js';
import { isObjectUrl } from '../objects/object-url.js';
import { sameState } from './settling.js';
import type { Listing } from './source.js';
import type { Standing } from './standing.js';
import type { WatchEvent } from './watch-event.js';
import type { VideoFile, WatchStore } from './watch-store.js';

/** Videos that are compared between two turns of the event loop. */
const VIDEOS_A_TURN = 1_000;

export interface SeenPlaces {
  readonly store: Pick<WatchStore, 'placeVideo' | 'missVideo' | 'dropCopy'>;
  /** Every video with the files that it is known by. */
  readonly videos: ReadonlyMap<string, readonly VideoFile[]>;
  /** Those that came to their end. */
  readonly listings: readonly Listing[];
  /** What the listings told of files that the library knows, and how they stand. */
  readonly seen: ReadonlyMap<string, FileState>;
  readonly standings: ReadonlyMap<string, Standing>;
  /** Whether new files that are not taken yet are of this size: each may be a video that moved. */
  readonly isNewSize: (sizeBytes: number) => boolean;
  /** See `placeState`. */
  readonly stateOf: (place: string) => Promise<FileState | undefined>;
  readonly signal?: AbortSignal;
}

/**
 * Nothing is said of what no listing covers. A file is looked for once more before its video is called missing.
 * @returns why objects could not be looked for, where that is so; nothing was said of those
 */
export async function findMissing(
  places: SeenPlaces,
  tell: (event: WatchEvent) => void,
): Promise<LongwatchError | undefined> {
  const wasCovered = (file: string) => places.listings.some((listing) => listing.covers(file));
  let refused: LongwatchError | undefined;
  let compared = 0;
  for (const [videoId, files] of places.videos) {
    if (++compared % VIDEOS_A_TURN === 0) await nextTurn();
    places.signal?.throwIfAborted();
    if (files.some(({ state }) => state === 'missing') || !files.some(({ path }) => wasCovered(path))) continue;
    await dropReplacedCopies(files, places);
    const main = files.find(({ copy }) => !copy);
    if (!main || !wasCovered(main.path) || shows(main, places.seen.get(main.path))) continue;
    // A store that does not answer for one of its objects would let each of them wait.
    if (refused && files.some(({ path }) => isObjectUrl(path))) continue;
    const copies = files.filter(({ copy }) => copy);
    try {
      const event = await findVideo(videoId, main, copies, places);
      if (event) tell(event);
    } catch (thrown) {
      places.signal?.throwIfAborted();
      const error = toLongwatchError(thrown);
      if (error.path === undefined || !isObjectUrl(error.path)) throw error;
      refused = error;
    }
  }
  return refused;
}

/** The path that the video is known by lies where everything was listed, and did not show its content. */
async function findVideo(
  videoId: string,
  main: VideoFile,
  copies: readonly VideoFile[],
  { store, standings, isNewSize, stateOf }: SeenPlaces,
): Promise<WatchEvent | undefined> {
  const state = await stateOf(main.path);
  if (shows(main, state)) return undefined;
  // Something else is there, or the same with another time: that is known when it has been read.
  const standing = standings.get(main.path)?.kind;
  if (state && (standing === undefined || standing === 'new' || standing === 'busy')) return undefined;
  for (const copy of copies) {
    const found = await stateOf(copy.path);
    if (!found || !shows(copy, found)) continue;
    await store.placeVideo(videoId, { path: copy.path, ...found });
    return { kind: 'moved', path: copy.path, from: main.path, videoId };
  }
  if (isNewSize(main.sizeBytes)) return undefined;
  await store.missVideo(videoId);
  return { kind: 'missing', path: main.path, videoId };
}

async function dropReplacedCopies(places: readonly VideoFile[], { store, seen, standings }: SeenPlaces): Promise<void> {
  for (const place of places) {
    const state = seen.get(place.path);
    if (place.copy && state && !shows(place, state) && standings.get(place.path)?.kind === 'known')
      await store.dropCopy(place.path);
  }
}

function shows(place: VideoFile, state: FileState | undefined): boolean {
  return state !== undefined && sameState(state, place);
}
