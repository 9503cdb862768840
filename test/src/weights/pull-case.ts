/** A small checkpoint on a fake hub, and a pull of it into a folder that goes away with the test. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type PulledCheckpoint, type PullOptions, pullCheckpoint } from '../../../src/weights/pull.js';
import type { RetryPolicy } from '../../../src/weights/retry.js';
import { FakeHub, type HubFile } from './fake-hub.js';

export const REPO = 'somebody/tiny-vl';
export const SHARD_1 = 'model-00001-of-00002.safetensors';
export const SHARD_2 = 'model-00002-of-00002.safetensors';
/** Does not lose time. */
export const QUICK: RetryPolicy = { attempts: 4, firstWaitMs: 1, longestWaitMs: 5 };

/** The same bytes for the same name, without any pattern that a wrong offset could hide in. */
export function bytesOf(name: string, length: number): Buffer {
  const pieces: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) pieces.push(createHash('sha256').update(`${name} ${i}`).digest());
  return Buffer.concat(pieces).subarray(0, length);
}

export function small(text: string): HubFile {
  return { bytes: Buffer.from(text), large: false };
}

export function large(name: string, length: number): HubFile {
  return { bytes: bytesOf(name, length), large: true };
}

/** Two shards with an index, what belongs to them, and what is not to be fetched. */
export function tinyCheckpoint(): Record<string, HubFile> {
  const index = { metadata: {}, weight_map: { 'a.weight': SHARD_1, 'b.weight': SHARD_2, 'c.weight': SHARD_2 } };
  return {
    'config.json': small('{"model_type":"qwen2_5_vl"}'),
    'generation_config.json': small('{"do_sample":false}'),
    'tokenizer.json': large('tokenizer', 5000),
    'preprocessor_config.json': small('{"patch_size":14}'),
    'chat_template.json': small('{"chat_template":"{{ messages }}"}'),
    'README.md': small('---\nlicense: apache-2.0\n---\n'),
    'model.safetensors.index.json': small(JSON.stringify(index)),
    [SHARD_1]: large('shard 1', 100_000),
    [SHARD_2]: large('shard 2', 64_001),
    '.gitattributes': small('*.safetensors filter=lfs\n'),
    'pytorch_model.bin': large('pickle', 9000),
    'onnx/config.json': small('{"elsewhere":true}'),
  };
}

export const WANTED = [
  'README.md',
  'chat_template.json',
  'config.json',
  'generation_config.json',
  SHARD_1,
  SHARD_2,
  'model.safetensors.index.json',
  'preprocessor_config.json',
  'tokenizer.json',
];

export interface PullCase {
  readonly hub: FakeHub;
  /** Not there yet. */
  readonly directory: string;
  pull(options?: Partial<PullOptions>, name?: string): Promise<PulledCheckpoint>;
  names(): string[];
  read(name: string): Buffer;
}

/** Each test gets a hub of its own, with the tiny checkpoint under Apache-2.0, and a folder of its own. */
export function usePullCase(): PullCase {
  let hub: FakeHub;
  let parent = '';
  beforeEach(async () => {
    hub = await FakeHub.start();
    hub.put(REPO, tinyCheckpoint(), { license: 'apache-2.0' });
    parent = mkdtempSync(path.join(tmpdir(), 'longwatch-pull-'));
  });
  afterEach(async () => {
    await hub.close();
    rmSync(parent, { recursive: true, force: true });
  });
  return {
    get hub() {
      return hub;
    },
    get directory() {
      return path.join(parent, 'checkpoint');
    },
    pull(options = {}, name = REPO) {
      return pullCheckpoint(name, { directory: this.directory, endpoint: hub.endpoint, retry: QUICK, ...options });
    },
    names() {
      return readdirSync(this.directory).sort();
    },
    read(name) {
      return readFileSync(path.join(this.directory, name));
    },
  };
}
