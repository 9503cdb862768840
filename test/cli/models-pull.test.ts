/** `models pull` against a local hub, then `models add`: from a name to a model that is built. */

import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeHub, type HubFile } from '../src/weights/fake-hub.js';
import { longwatch } from './run.js';

const checkpoint = 'fixtures/golden/tiny-tied/checkpoint';
const library = path.join(mkdtempSync(path.join(os.tmpdir(), 'longwatch-pull-')), 'library');
let hub: FakeHub;
let endpoint = '';

beforeAll(async () => {
  hub = await FakeHub.start();
  endpoint = hub.endpoint;
  const files = new Map<string, HubFile>(
    readdirSync(checkpoint).map((name) => [
      name,
      { bytes: readFileSync(path.join(checkpoint, name)), large: name.endsWith('.safetensors') },
    ]),
  );
  hub.repos.set('someone/tiny', {
    sha: 'a'.repeat(40),
    cardData: { license: 'apache-2.0' },
    commits: new Map([['a'.repeat(40), files]]),
  });
  hub.repos.set('Qwen/Qwen2.5-VL-3B-Instruct', {
    sha: 'b'.repeat(40),
    cardData: { license: 'other', license_name: 'qwen-research' },
    commits: new Map([['b'.repeat(40), files]]),
  });
});

afterAll(() => hub.close());

describe('longwatch models pull', () => {
  it('fetches a checkpoint that builds, and says its licence', async () => {
    const pulled = await longwatch(['models', 'pull', 'someone/tiny', '--endpoint', endpoint, '--library', library]);
    expect(pulled.stderr).toContain('Licence: Apache');
    expect(pulled.exit).toBe(0);
    const directory = pulled.stdout.trim();
    expect(directory).toBe(path.join(library, 'models/checkpoints/someone--tiny'));
    const added = await longwatch([
      'models',
      'add',
      directory,
      '--name',
      'tiny',
      '--dtype',
      'fp32',
      '--library',
      library,
    ]);
    expect([added.exit, added.stdout.startsWith('tiny  fp32')]).toEqual([0, true]);
    expect(added.stderr).toContain('Licence: Apache License 2.0');
    const nowhere = await longwatch(['models', 'add', path.join(library, 'nowhere'), '--library', library]);
    expect(nowhere.stderr).toMatch(/There is no folder .*nowhere\. \[file_not_found\]/);
  });

  it('fetches nothing of the 3B checkpoint before its non-commercial licence is accepted', async () => {
    const before = hub.requests.length;
    const args = ['models', 'pull', 'qwen2.5-vl-3b', '--endpoint', endpoint, '--library', library];
    const refused = await longwatch(args);
    expect([
      refused.exit,
      refused.stderr.includes('[licence_not_accepted]'),
      /non-commercial/i.test(refused.stderr),
      refused.stderr.includes('--accept-licence'),
    ]).toEqual([1, true, true, true]);
    expect(hub.requests.slice(before).filter(({ path: asked }) => asked.includes('/resolve/'))).toEqual([]);
    expect((await longwatch([...args, '--accept-licence'])).exit).toBe(0);
  });
});
