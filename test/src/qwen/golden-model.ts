/** A golden checkpoint as a built model and a loaded runtime, with the prompts that the reference was given. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildModel } from '../../../src/qwen/build.js';
import type { ModelPrompt } from '../../../src/qwen/context.js';
import { type GoldenFolder, type GoldenMedium, openGolden, picturesOf } from '../../../src/qwen/golden.js';
import type { PromptSpan } from '../../../src/qwen/mrope.js';
import { type PreprocessedVideo, Preprocessor } from '../../../src/qwen/preprocess.js';
import { QwenRuntime, type RuntimeOptions } from '../../../src/qwen/runtime.js';
import type { Dtype } from '../../../src/qwen/weight-format.js';

export class GoldenModel {
  private constructor(
    /** Folder of the built model. */
    readonly directory: string,
    readonly golden: GoldenFolder,
    readonly runtime: QwenRuntime,
    private readonly preprocessor: Preprocessor,
  ) {}

  /** @param name a folder of fixtures/golden */
  static async open(name: string, dtype: Dtype = 'fp32', options: RuntimeOptions = {}): Promise<GoldenModel> {
    const folder = fileURLToPath(new URL(`../../../fixtures/golden/${name}`, import.meta.url));
    const directory = path.join(await mkdtemp(path.join(tmpdir(), 'longwatch-runtime-')), 'model');
    await buildModel(path.join(folder, 'checkpoint'), directory, { dtype, selfTest: false });
    const runtime = await QwenRuntime.open(directory, { threads: 1, ...options });
    return new GoldenModel(directory, await openGolden(folder), runtime, new Preprocessor());
  }

  medium(name: string): GoldenMedium {
    const medium = this.golden.media[name];
    if (!medium) throw new Error(`There is no medium "${name}".`);
    return medium;
  }

  pixels(name: string): Promise<PreprocessedVideo> {
    const medium = this.medium(name);
    return this.preprocessor.run(picturesOf(medium), medium, this.runtime.config.vision);
  }

  async prompt(name: string): Promise<ModelPrompt> {
    const ids: number[] = [];
    const spans: PromptSpan[] = [];
    const media: Float32Array[] = [];
    const { tokens } = this.runtime.config;
    for (const part of this.golden.prompts[name]?.parts ?? []) {
      if ('ids' in part) {
        ids.push(...part.ids);
        spans.push({ kind: 'text', length: part.ids.length });
        continue;
      }
      const medium = this.medium(part.media);
      const { rows, columns } = medium;
      const embeddings = await this.runtime.encodeVision(await this.pixels(part.media));
      const grid = { rows, columns };
      ids.push(
        ...new Array<number>(embeddings.length / this.runtime.config.text.hiddenSize).fill(
          medium.kind === 'video' ? tokens.videoPad : tokens.imagePad,
        ),
      );
      spans.push(
        medium.kind === 'video' ? { kind: 'video', grid, pairTimes: medium.times ?? [] } : { kind: 'image', grid },
      );
      media.push(embeddings);
    }
    return { ids, spans, media };
  }

  async close(): Promise<void> {
    await this.runtime.close();
    await this.preprocessor.close();
    await this.golden.tensors.close();
    await rm(path.dirname(this.directory), { recursive: true, force: true });
  }
}

/** The largest difference, in units of the largest expected value. */
export function relativeError(found: Float32Array, expected: Float32Array): number {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY;
  let most = 0;
  let unit = 0;
  expected.forEach((value, i) => {
    most = Math.max(most, Math.abs(value - (found[i] as number)));
    unit = Math.max(unit, Math.abs(value));
  });
  return Number.isNaN(most) ? Number.POSITIVE_INFINITY : most / unit;
}
