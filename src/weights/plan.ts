/** Which files of a repository a checkpoint needs. Weights come as safetensors only: other formats run code when they are opened. */

import { LongwatchError } from '../errors.js';
import type { Hub, RemoteFile } from './hub.js';

const CONFIG = 'config.json';
const INDEX = 'model.safetensors.index.json';
const SINGLE = 'model.safetensors';

/** Taken where they are there; at the top of the repository only. */
const SMALL_FILES: ReadonlySet<string> = new Set([
  CONFIG,
  INDEX,
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'vocab.json',
  'merges.txt',
  'chat_template.json',
  'chat_template.jinja',
  'preprocessor_config.json',
  'video_preprocessor_config.json',
  'processor_config.json',
  // The terms travel with the weights.
  'README.md',
  'LICENSE',
  'LICENSE.md',
  'LICENSE.txt',
  'NOTICE',
]);

/** Also what the weights' own names must look like; an index is somebody else's file. */
const SHARD = /^[A-Za-z0-9][\w.-]{0,150}\.safetensors$/;
/** The largest tokenizer of the family has 11 MB. */
const SMALL_MAX_BYTES = 64 * 2 ** 20;
/** The largest checkpoint of the family has 147 GB in 38 files. */
const TOTAL_MAX_BYTES = 2 ** 40;
const SHARDS_MAX = 500;

export interface PullPlan {
  /** Small files first, then the weights in the order of their names. */
  readonly files: readonly RemoteFile[];
  readonly totalBytes: number;
}

/**
 * @param checkConfig looks at config.json before anything large is fetched; throws when such a checkpoint is of no use
 * @throws {LongwatchError} `bad_weights` when the repository is no checkpoint in safetensors, what `Hub` throws, what `checkConfig` throws
 */
export async function planPull(
  hub: Hub,
  repo: string,
  commit: string,
  checkConfig?: (config: unknown) => void,
  signal?: AbortSignal,
): Promise<PullPlan> {
  const listed = new Map((await hub.files(repo, commit, signal)).map((file) => [file.path, file]));
  const small = [...listed.values()].filter(({ path }) => SMALL_FILES.has(path));
  const tooLarge = small.find(({ bytes }) => bytes > SMALL_MAX_BYTES);
  if (tooLarge)
    throw unfit(`${tooLarge.path} of ${repo} has ${tooLarge.bytes} bytes, far more than such a file needs.`);

  const config = listed.get(CONFIG);
  if (!config) throw unfit(`${repo} has no ${CONFIG}.`);
  const parsed = await readJson(hub, repo, commit, config, signal);
  checkConfig?.(parsed);

  const index = listed.get(INDEX);
  const names = index ? shardNames(repo, await readJson(hub, repo, commit, index, signal)) : [SINGLE];
  const weights = names.map((name) => {
    const file = listed.get(name);
    if (file) return file;
    throw unfit(index ? `The index of ${repo} names ${name}, which is not there.` : `${repo} has no ${SINGLE}.`);
  });

  const files = [...small, ...weights];
  const totalBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
  if (totalBytes > TOTAL_MAX_BYTES)
    throw unfit(`${repo} has ${totalBytes} bytes, more than any checkpoint of the family.`);
  return { files, totalBytes };
}

function shardNames(repo: string, index: unknown): string[] {
  const map = (index as { weight_map?: unknown } | null)?.weight_map;
  const names = [...new Set(typeof map === 'object' && map !== null ? Object.values(map) : [])];
  // Two names that differ in case only are one file on some disks.
  const distinct = new Set(names.map((name) => String(name).toLowerCase())).size === names.length;
  const proper = names.every((name): name is string => typeof name === 'string' && SHARD.test(name));
  if (names.length === 0 || names.length > SHARDS_MAX || !proper || !distinct)
    throw unfit(`The index of ${repo} does not name files of weights in its own folder.`);
  return (names as string[]).sort();
}

async function readJson(
  hub: Hub,
  repo: string,
  commit: string,
  file: RemoteFile,
  signal?: AbortSignal,
): Promise<unknown> {
  const text = await hub.text(repo, commit, file, signal);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unfit(`${file.path} of ${repo} is not JSON.`, cause);
  }
}

function unfit(message: string, cause?: unknown): LongwatchError {
  return new LongwatchError('bad_weights', message, {
    cause,
    hint: 'Pull a repository that holds a checkpoint in safetensors, as the Qwen2.5-VL ones do.',
  });
}
