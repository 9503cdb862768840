/** Videos whose files lay in watched folders and do not show their content there any more: they moved to a copy, or are missing. */

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileState } from '../jobs/job.js';
import { isInside, type Scan, stateOf } from './scan.js';
import { sameState } from './settling.js';
import type { Standing } from './standing.js';
import type { VideoFile, WatchStore } from './watch-store.js';
import type { WatchEvent } from './watcher.js';

/** Videos that are compared between two turns of the event loop. */
const VIDEOS_A_TURN = 1_000;

export interface WatchedFolders {
  readonly store: Pick<WatchStore, 'placeVideo' | 'missVideo' | 'dropCopy'>;
  /** Every video with the files that it is known by. */
  readonly videos: ReadonlyMap<string, readonly VideoFile[]>;
  readonly scans: readonly Scan[];
  /** What the scans found. */
  readonly files: ReadonlyMap<string, FileState>;
  readonly standings: ReadonlyMap<string, Standing>;
  /** Sizes of the new files that are not taken yet: each may be a video that moved. */
  readonly newSizes: ReadonlySet<number>;
}

/** Nothing is said of what lies in folders that could not be read. A file is looked for once more before its video is called missing. */
export async function findMissing(watched: WatchedFolders, tell: (event: WatchEvent) => void): Promise<void> {
  const { videos, files, scans } = watched;
  const roots = scans.flatMap(({ folders }) => folders.slice(0, 1));
  const unread = scans.flatMap((scan) => scan.unread);
  const wasScanned = (file: string) =>
    roots.some((root) => isInside(file, root)) && !unread.some((folder) => isInside(file, folder));
  let compared = 0;
  for (const [videoId, places] of videos) {
    if (++compared % VIDEOS_A_TURN === 0) await nextTurn();
    if (places.some(({ state }) => state === 'missing') || !places.some(({ path }) => wasScanned(path))) continue;
    await dropReplacedCopies(places, watched);
    const main = places.find(({ copy }) => !copy);
    if (!main || shows(main, files.get(main.path))) continue;
    const copies = places.filter(({ copy }) => copy);
    const event = await findVideo(videoId, main, copies, watched, wasScanned(main.path));
    if (event) tell(event);
  }
}

/** The path that the video is known by did not show its content in the scan. */
async function findVideo(
  videoId: string,
  main: VideoFile,
  copies: readonly VideoFile[],
  { store, standings, newSizes }: WatchedFolders,
  mainWasScanned: boolean,
): Promise<WatchEvent | undefined> {
  const state = await stateOf(main.path);
  if (shows(main, state) || (!state && !mainWasScanned)) return undefined;
  // Something else is there, or the same with another time: that is known when it has been read.
  const standing = standings.get(main.path)?.kind;
  if (state && (standing === undefined || standing === 'new' || standing === 'busy')) return undefined;
  for (const copy of copies) {
    const found = await stateOf(copy.path);
    if (!found || !shows(copy, found)) continue;
    await store.placeVideo(videoId, { path: copy.path, ...found });
    return { kind: 'moved', path: copy.path, from: main.path, videoId };
  }
  if (newSizes.has(main.sizeBytes)) return undefined;
  await store.missVideo(videoId);
  return { kind: 'missing', path: main.path, videoId };
}

async function dropReplacedCopies(
  places: readonly VideoFile[],
  { store, files, standings }: WatchedFolders,
): Promise<void> {
  for (const place of places) {
    const state = files.get(place.path);
    if (place.copy && state && !shows(place, state) && standings.get(place.path)?.kind === 'known')
      await store.dropCopy(place.path);
  }
}

function shows(place: VideoFile, state: FileState | undefined): boolean {
  return state !== undefined && sameState(state, place);
}
