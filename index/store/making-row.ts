/** How a stretch was made as a row, and as the record that it stands for. */

import { LongwatchError } from '../../src/errors.js';
import type { Making, StretchPlace } from './records.js';

export interface MakingRow {
  readonly making_key: number | null;
  readonly model: string | null;
  readonly frames: string | null;
  readonly subtitles: string | null;
  readonly meaning: string | null;
}

export const MAKING = 'making.model, making.frames, making.subtitles, making.meaning';
export function toMaking({ making_key, model, frames, subtitles, meaning }: MakingRow): Making | undefined {
  if (making_key === null) return undefined;
  return { model: model ?? '', frames: frames ?? '', subtitles: subtitles ?? '', meaning: meaning ?? '' };
}

export function noStretch(videoId: string, { layer, index }: StretchPlace): never {
  throw new LongwatchError(
    'not_found',
    `The video ${videoId} has no stretch ${index} of "${layer}", or nothing is known of it.`,
  );
}
