/** Names of checkpoints. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../../src/errors.js';
import { checkpointFolderName, parseCheckpointName } from '../../../src/weights/source.js';

describe('a name', () => {
  it.each([
    ['qwen2.5-vl-3b', 'Qwen/Qwen2.5-VL-3B-Instruct', 'main'],
    ['Qwen2.5-VL-7B', 'Qwen/Qwen2.5-VL-7B-Instruct', 'main'],
    ['qwen2.5-vl-72b@v1', 'Qwen/Qwen2.5-VL-72B-Instruct', 'v1'],
    ['owner/name', 'owner/name', 'main'],
    ['owner/na.me_1-x@refs/pr/1', 'owner/na.me_1-x', 'refs/pr/1'],
  ])('%s means %s at %s', (name, repo, revision) => {
    expect(parseCheckpointName(name)).toEqual({ repo, revision });
  });

  it.each([
    '',
    'qwen',
    'constructor',
    'a/b/c',
    '../b',
    'a/..',
    'a/b..c',
    '/a/b',
    'a/b@',
    'a/b@../x',
    'a/b@x//y',
    'a/b@-x',
    'a b/c',
  ])('%j is none', (name) => {
    expect(() => parseCheckpointName(name)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });

  it('is read or refused, and never leaves its place in an address', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('a', '.', '/', '@', '-', '%', '?', '#', '\\', ' ') }), (name) => {
        try {
          const { repo } = parseCheckpointName(name);
          expect(new URL(`http://hub.invalid/api/models/${repo}`).pathname).toBe(`/api/models/${repo}`);
        } catch (error) {
          expect(error).toBeInstanceOf(LongwatchError);
        }
      }),
    );
  });
});

describe('a folder name', () => {
  it.each([
    ['qwen2.5-vl-3b', 'qwen2.5-vl-3b'],
    ['Qwen/Qwen2.5-VL-72B-Instruct@main', 'qwen2.5-vl-72b'],
    ['owner/name', 'owner--name'],
  ])('for %s is %s', (name, folder) => {
    expect(checkpointFolderName(parseCheckpointName(name))).toBe(folder);
  });
});
