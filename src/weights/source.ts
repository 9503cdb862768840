/** Which checkpoint a person means: a short name of a published one, or `owner/name`, with an optional `@revision`. */

import { LongwatchError } from '../errors.js';

/** A repository of the hub at a revision, not yet resolved to a commit. */
export interface CheckpointSource {
  /** `owner/name`. */
  readonly repo: string;
  /** Branch, tag or commit hash. @default main */
  readonly revision: string;
}

/** Short names of the instruction-tuned checkpoints. */
export const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  ['qwen2.5-vl-3b', 'Qwen/Qwen2.5-VL-3B-Instruct'],
  ['qwen2.5-vl-7b', 'Qwen/Qwen2.5-VL-7B-Instruct'],
  ['qwen2.5-vl-32b', 'Qwen/Qwen2.5-VL-32B-Instruct'],
  ['qwen2.5-vl-72b', 'Qwen/Qwen2.5-VL-72B-Instruct'],
]);

const REPO = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/;
/** Branches may hold slashes (`refs/pr/1`). */
const REVISION = /^[A-Za-z0-9][\w.-]*(?:\/[A-Za-z0-9][\w.-]*)*$/;
const REVISION_MAX_LENGTH = 200;

/**
 * Reads `qwen2.5-vl-3b`, `owner/name` and both with `@revision`.
 * @throws {LongwatchError} `invalid_input` for anything else
 */
export function parseCheckpointName(name: string): CheckpointSource {
  const at = name.indexOf('@');
  const asked = at < 0 ? name : name.slice(0, at);
  const revision = at < 0 ? 'main' : name.slice(at + 1);
  const repo = SHORT_NAMES.get(asked.toLowerCase()) ?? asked;
  if (!REPO.test(repo) || repo.includes('..')) {
    throw new LongwatchError('invalid_input', `"${name.slice(0, REVISION_MAX_LENGTH)}" names no checkpoint.`, {
      hint: `Give ${[...SHORT_NAMES.keys()].join(', ')}, or owner/name@revision.`,
    });
  }
  if (revision.length > REVISION_MAX_LENGTH || !REVISION.test(revision) || revision.includes('..')) {
    throw new LongwatchError('invalid_input', `"${revision.slice(0, REVISION_MAX_LENGTH)}" is not a revision.`, {
      hint: 'Give a branch, a tag or a commit hash after the @.',
    });
  }
  return { repo, revision };
}

/** Name of the folder for a checkpoint: its short name where it has one, else `owner--name`. */
export function checkpointFolderName({ repo }: CheckpointSource): string {
  const short = [...SHORT_NAMES].find(([, published]) => published === repo)?.[0];
  return short ?? repo.replace('/', '--');
}
