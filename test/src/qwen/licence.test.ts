import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { licenceOf } from '../../../src/qwen/licence.js';

const SHAPE_3B = { text: { layers: 36, hiddenSize: 2048 } };
const SHAPE_7B = { text: { layers: 28, hiddenSize: 3584 } };
const OTHER_SHAPE = { text: { layers: 2, hiddenSize: 64 } };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-licence-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const write = (name: string, text: string) => writeFileSync(path.join(folder, name), text);

describe('the licence of a checkpoint', () => {
  it('is that of the published one of its shape where nothing says: 3B is not for commercial use, 7B is', async () => {
    expect(await licenceOf(folder, SHAPE_3B)).toMatchObject({ id: 'qwen-research', commercialUse: false });
    expect(await licenceOf(folder, SHAPE_7B)).toMatchObject({ id: 'apache-2.0', commercialUse: true });
  });

  it('is unknown for another shape that says nothing', async () => {
    expect(await licenceOf(folder, OTHER_SHAPE)).toBeUndefined();
  });

  it.each([
    ['Qwen RESEARCH LICENSE AGREEMENT', 'qwen-research'],
    ['# Apache License\nVersion 2.0', 'apache-2.0'],
    ['\n\n  MIT License\n', 'mit'],
    ['Terms of Our Company', 'Terms of Our Company'],
  ])('is read from the title of its licence file: %j', async (text, id) => {
    write('LICENSE', text);
    expect(await licenceOf(folder, OTHER_SHAPE)).toMatchObject({ id });
  });

  it('is read from the header of its model card, with what it was tuned from', async () => {
    write('README.md', '---\r\nlicense: other\r\nlicense_name: "qwen-research"\r\n---\r\n# Card\nlicense: mit\n');
    expect(await licenceOf(folder, OTHER_SHAPE)).toMatchObject({ id: 'qwen-research' });
    write('README.md', '---\nlicense: mit\nbase_model: Qwen/Qwen2.5-VL-3B-Instruct\n---\n');
    expect(await licenceOf(folder, OTHER_SHAPE)).toMatchObject({ id: 'qwen-research' });
  });

  it('cannot be shaken off by a fine-tune of the 3B shape', async () => {
    write('LICENSE', 'MIT License');
    expect(await licenceOf(folder, SHAPE_3B)).toMatchObject({ id: 'qwen-research', commercialUse: false });
  });

  it('is not taken from a card without a header', async () => {
    write('README.md', '# A model\nlicense: mit\n');
    expect(await licenceOf(folder, OTHER_SHAPE)).toBeUndefined();
  });
});
