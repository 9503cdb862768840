/** Words that a person puts on videos, so that some of them can be listed, searched and watched by themselves. Pure. */

import { cleanText } from './clean-text.js';
import { LongwatchError } from './errors.js';

/** Characters of the longest tag. */
export const MAX_TAG_LENGTH = 64;
/** Tags of one video, and tags that one request may name. */
export const MAX_TAGS = 64;

/** Which tags a video gets and loses. What is in both is lost. */
export interface TagChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/**
 * The tag as it is stored and compared: one line of plain text (see `cleanText`), compatibility forms unfolded (NFKC), in small letters. "Team A"
 * and "ｔｅａｍ  a" are one tag.
 * @throws {LongwatchError} `invalid_input` when nothing is left, or more than `MAX_TAG_LENGTH` characters
 */
export function cleanTag(text: string): string {
  const tag = cleanText(text.normalize('NFKC').toLowerCase(), MAX_TAG_LENGTH + 1);
  if (tag === '')
    throw new LongwatchError('invalid_input', 'A tag is empty.', { hint: 'Write a word.', pointer: '/tags' });
  if ([...tag].length > MAX_TAG_LENGTH)
    throw new LongwatchError('invalid_input', `The tag "${tag}…" is too long.`, {
      hint: `At most ${MAX_TAG_LENGTH} characters are possible.`,
      pointer: '/tags',
    });
  return tag;
}

/**
 * A set of tags, sorted by code unit.
 * @throws {LongwatchError} `invalid_input` as `cleanTag`, and for more than `MAX_TAGS`
 */
export function tagSet(texts: Iterable<string>): string[] {
  const tags = [...new Set([...texts].map(cleanTag))].sort();
  if (tags.length > MAX_TAGS)
    throw new LongwatchError('invalid_input', `${tags.length} tags are too many.`, {
      hint: `At most ${MAX_TAGS} are possible.`,
      pointer: '/tags',
    });
  return tags;
}
