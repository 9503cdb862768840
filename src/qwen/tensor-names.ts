/**
 * The names and shapes of a Qwen2.5-VL checkpoint's tensors. Tools of different years name them differently; inside Longwatch they
 * have the names of the published files: `model.layers.0…` for the decoder, `visual.blocks.0…` for the vision encoder.
 */

import type { QwenConfig, TextConfig, VisionConfig } from './config.js';

export const TOKEN_TABLE = 'model.embed_tokens.weight';
export const HEAD = 'lm_head.weight';

/** Prefix in files of newer or half-way tools → prefix of the published files. The first that fits is applied, once. */
const RENAMED: readonly (readonly [prefix: string, published: string])[] = [
  ['model.language_model.', 'model.'],
  ['model.visual.', 'visual.'],
  ['language_model.model.', 'model.'],
  ['language_model.lm_head.', 'lm_head.'],
];

/** The published name of a tensor; a name that is already one stays as it is. */
export function publishedName(name: string): string {
  const rename = RENAMED.find(([prefix]) => name.startsWith(prefix));
  return rename ? rename[1] + name.slice(rename[0].length) : name;
}

/** Tables that some tools store though they follow from the configuration. */
export function isDerived(publishedName: string): boolean {
  return publishedName.endsWith('.inv_freq');
}

/** Every tensor that the model is made of, by published name. A tied head is none: it is the table of tokens. */
export function tensorShapes({ vision, text }: QwenConfig): Map<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  addVision(shapes, vision);
  addText(shapes, text);
  return shapes;
}

function addVision(shapes: Map<string, readonly number[]>, vision: VisionConfig): void {
  const { hiddenSize: C, intermediateSize: I, patchSize, temporalPatchSize, channels, spatialMergeSize } = vision;
  const merged = C * spatialMergeSize ** 2;
  const dense = (name: string, out: number, input: number) => {
    shapes.set(`${name}.weight`, [out, input]);
    shapes.set(`${name}.bias`, [out]);
  };
  shapes.set('visual.patch_embed.proj.weight', [C, channels, temporalPatchSize, patchSize, patchSize]);
  for (let block = 0; block < vision.depth; block++) {
    const name = `visual.blocks.${block}`;
    shapes.set(`${name}.norm1.weight`, [C]);
    shapes.set(`${name}.norm2.weight`, [C]);
    dense(`${name}.attn.qkv`, 3 * C, C);
    dense(`${name}.attn.proj`, C, C);
    dense(`${name}.mlp.gate_proj`, I, C);
    dense(`${name}.mlp.up_proj`, I, C);
    dense(`${name}.mlp.down_proj`, C, I);
  }
  shapes.set('visual.merger.ln_q.weight', [C]);
  dense('visual.merger.mlp.0', merged, merged);
  dense('visual.merger.mlp.2', vision.outHiddenSize, merged);
}

function addText(shapes: Map<string, readonly number[]>, text: TextConfig): void {
  const { hiddenSize: C, intermediateSize: I, kvHeads, headDim, vocabSize } = text;
  shapes.set(TOKEN_TABLE, [vocabSize, C]);
  for (let layer = 0; layer < text.layers; layer++) {
    const name = `model.layers.${layer}`;
    shapes.set(`${name}.input_layernorm.weight`, [C]);
    shapes.set(`${name}.post_attention_layernorm.weight`, [C]);
    for (const [part, out] of [
      ['q_proj', C],
      ['k_proj', kvHeads * headDim],
      ['v_proj', kvHeads * headDim],
    ] as const) {
      shapes.set(`${name}.self_attn.${part}.weight`, [out, C]);
      shapes.set(`${name}.self_attn.${part}.bias`, [out]);
    }
    shapes.set(`${name}.self_attn.o_proj.weight`, [C, C]);
    shapes.set(`${name}.mlp.gate_proj.weight`, [I, C]);
    shapes.set(`${name}.mlp.up_proj.weight`, [I, C]);
    shapes.set(`${name}.mlp.down_proj.weight`, [C, I]);
  }
  shapes.set('model.norm.weight', [C]);
  if (!text.tieWordEmbeddings) shapes.set(HEAD, [vocabSize, C]);
}
