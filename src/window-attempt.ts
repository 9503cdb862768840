/**
 * A window that ends its process (memory that runs out, a crash in native code) would end every process that takes it up. So each is
 * noted before it goes to the model, and one that did it twice is written without the model.
 */

import type { Library } from '../index/library.js';
import type { Model } from './model.js';
import { formatTime } from './time.js';

/** Processes that may die of one window. */
const DEATHS_MAX = 2;

/**
 * Does one window.
 * @param work Describes and writes it, with the model or, where that killed before, without.
 * @throws what `work` throws; that is a failure, not a death
 */
export async function attemptWindow(
  library: Library,
  videoId: string,
  index: number,
  model: Model | undefined,
  work: (model: Model | undefined) => Promise<void>,
): Promise<void> {
  if (!model) return work(undefined);
  const deadly = (await library.beginWindow(videoId, index, model.id)) >= DEATHS_MAX;
  if (deadly) await library.giveUpWindow(videoId, index);
  try {
    await work(deadly ? undefined : model);
  } catch (error) {
    await library.leaveWindow(videoId, index);
    throw error;
  }
}

const ENDED_TOO_OFTEN = `The process ended ${DEATHS_MAX} times while the model looked at`;

export function isGivenUpWarning(warning: string): boolean {
  return warning.startsWith(ENDED_TOO_OFTEN);
}

/** What a video says about windows that were written without the model. */
export async function givenUpWarnings(library: Library, videoId: string): Promise<string[]> {
  return (await library.givenUpWindows(videoId)).map(
    ({ start, end }) =>
      `${ENDED_TOO_OFTEN} ${formatTime(start)} – ${formatTime(end)}; nothing of what is seen there is told.`,
  );
}
