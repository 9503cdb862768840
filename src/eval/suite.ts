/** One public benchmark: where its annotations lie, how they are read, who can answer it, and by what it is scored. */

import type { Item, ItemKind, Pair } from './item.js';
import type { MediaFolder } from './media.js';
import type { Figure } from './scores.js';

/**
 * Who answers. `library`: the product's own way, ingest and then search or listing. `model`: one prompt with frames of the whole video,
 * evenly spread, or with the picture. `grounded`: ingest, search, and the model looks again at what was found.
 */
export const WAYS = ['library', 'model', 'grounded'] as const;
export type Way = (typeof WAYS)[number];

/** A figure that others published for this suite. It is shown beside ours and says nothing about ours. */
export interface PublishedFigure {
  readonly model: string;
  /** Name of one of the suite's figures, where it has one. */
  readonly figure: string;
  /** 0..1 */
  readonly value: number;
  readonly source: string;
}

export interface Suite {
  /** As it is typed. */
  readonly name: string;
  /** As its authors write it, and what is asked. */
  readonly title: string;
  /** Annotation files that are looked for, in words. */
  readonly expects: string;
  readonly kind: ItemKind;
  /** The first is the default. */
  readonly ways: readonly [Way, ...Way[]];
  /** Names in `Item.groups` by which the figures are also given. @default none */
  readonly groupedBy?: readonly string[];
  readonly published?: readonly PublishedFigure[];
  /**
   * All items, in the order of the annotations, with unique ids.
   * @throws {LongwatchError} `file_not_found` without annotations, `invalid_input` with file and line of what cannot be read
   */
  read(folder: MediaFolder): Promise<readonly Item[]>;
  score(pairs: readonly Pair[]): readonly Figure[];
}
