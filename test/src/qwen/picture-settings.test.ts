import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readPictureSettings } from '../../../src/qwen/picture-settings.js';

function folderOf(files: Readonly<Record<string, unknown>>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-pictures-'));
  for (const [name, json] of Object.entries(files)) writeFileSync(path.join(folder, name), JSON.stringify(json));
  return folder;
}

describe('what a checkpoint says about its pictures', () => {
  it('is nothing where it says nothing', async () => {
    expect(await readPictureSettings(folderOf({}))).toEqual({});
  });

  it('is its largest area, by the older and by the newer name, and a rate where it has one', async () => {
    expect(
      await readPictureSettings(folderOf({ 'preprocessor_config.json': { min_pixels: 3136, max_pixels: 12845056 } })),
    ).toEqual({
      maxPixels: 12845056,
    });
    expect(
      await readPictureSettings(
        folderOf({ 'preprocessor_config.json': { size: { shortest_edge: 784, longest_edge: 12544 }, fps: 4 } }),
      ),
    ).toEqual({ maxPixels: 12544, frameRate: 4 });
  });

  it('is about videos where there is a file about them', async () => {
    const folder = folderOf({
      'preprocessor_config.json': { max_pixels: 1000 },
      'video_preprocessor_config.json': { max_pixels: 2000, fps: 2 },
    });
    expect(await readPictureSettings(folder)).toEqual({ maxPixels: 2000, frameRate: 2 });
  });

  it.each([[{ max_pixels: 0 }], [{ max_pixels: '12' }], [{ fps: -1 }]])('refuses %j', async (json) => {
    await expect(readPictureSettings(folderOf({ 'preprocessor_config.json': json }))).rejects.toMatchObject({
      code: 'bad_weights',
      message: expect.stringContaining('not a positive number'),
    });
  });
});
