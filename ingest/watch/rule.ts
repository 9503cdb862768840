/** One watched folder or place in a bucket, what is taken from it and what becomes of that. */

import type { Profile } from '../../src/profile.js';
import { isVideoName } from '../folder.js';
import { globMatcher } from './glob.js';

export interface WatchRule {
  /** Absolute, or `s3://bucket/prefix`, of which all that lies below the prefix is meant, with a slash at its end or without. */
  readonly dir: string;
  /** Only files that match one of these globs; none: all. */
  readonly include: readonly string[];
  /** No file and no folder that matches one of these. */
  readonly exclude: readonly string[];
  /** How much is read of what it takes. @default what the process reads; nothing is asked of what is known */
  readonly profile?: Profile;
  /** Put on every video that it takes, also on those that are known. @default none */
  readonly tags?: readonly string[];
}

export interface RuleMatcher {
  /** Whether a file is taken. Its name must be a video's all the same. `relative` to the folder, with `/`. */
  takes(relative: string): boolean;
  /** Whether a folder is not looked into. */
  skips(relative: string): boolean;
}

/** @throws {LongwatchError} `invalid_input` for a glob that is none */
export function matcherOf({ include, exclude }: WatchRule): RuleMatcher {
  const included = include.map(globMatcher);
  const excluded = exclude.map(globMatcher);
  const isExcluded = (relative: string) => excluded.some((matches) => matches(relative));
  return {
    takes: (relative) =>
      isVideoName(relative.slice(relative.lastIndexOf('/') + 1)) &&
      !isExcluded(relative) &&
      (included.length === 0 || included.some((matches) => matches(relative))),
    skips: (relative) => isExcluded(relative) || relative.endsWith('@eaDir'),
  };
}
