/** How an item gets its answer: by the product's own way or by the model alone. */

import type { Engine } from '../../main.js';
import type { Item, Prediction } from '../item.js';

/** What is answered besides the id. */
export type Answer = Omit<Prediction, 'id'>;

export interface AskingParts {
  readonly engine: Engine;
  /** Most visual tokens of one prompt. */
  readonly tokens: number;
  /** Windows that the model looks at for a question, where it looks again. */
  readonly groundWindows: number;
  /** Whether edges that it sees are moved to signals. */
  readonly snap: boolean;
  /** Told while a video is ingested, 0..1. */
  readonly onIngest?: (file: string, progress: number) => void;
}

export interface Asker<I extends Item = Item> {
  /** Stable name of everything that decides the answers: two runs of one name may be put together. */
  readonly by: string;
  /**
   * @param file Path of the item's video or picture.
   * @throws {LongwatchError} of the file, the decoder or the model
   */
  ask(item: I, file: string, signal: AbortSignal): Promise<Answer>;
}
