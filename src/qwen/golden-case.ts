/** One case of a golden folder, put to the runtime the way a question is put to it. */

import { LongwatchError } from '../errors.js';
import type { TemplateMessage } from './chat-template.js';
import type { Context, ModelPrompt } from './context.js';
import { generate } from './generate.js';
import type { GoldenCase, GoldenFolder, GoldenMedium, GoldenPart, GoldenSpan } from './golden.js';
import { picturesOf } from './golden.js';
import { mropePositions, mropeTable, type PromptSpan, spanLength } from './mrope.js';
import type { Preprocessor } from './preprocess.js';
import type { PromptPart } from './prompt.js';
import type { QwenRuntime } from './runtime.js';

/** What was computed for a case: numbers to be near those of the golden tensor, or something to be equal to what is expected. */
export interface Outcome {
  readonly tensors: readonly { readonly name: string; readonly golden: string; readonly values: Float32Array }[];
  readonly facts: readonly { readonly name: string; readonly expected: unknown; readonly found: unknown }[];
}

type CaseOf<Kind extends GoldenCase['kind']> = Extract<GoldenCase, { readonly kind: Kind }>;

export class GoldenRunner {
  readonly #golden: GoldenFolder;
  readonly #runtime: QwenRuntime;
  readonly #preprocessor: Preprocessor;
  /** One array for each medium, so that prompts share what they show. */
  readonly #embeddings = new Map<string, Float32Array>();

  constructor(golden: GoldenFolder, runtime: QwenRuntime, preprocessor: Preprocessor) {
    this.#golden = golden;
    this.#runtime = runtime;
    this.#preprocessor = preprocessor;
  }

  /** @throws {LongwatchError} `invalid_input` when the case does not fit the checkpoint; whatever the runtime throws. */
  async run(golden: GoldenCase, signal: AbortSignal | undefined): Promise<Outcome> {
    switch (golden.kind) {
      case 'text':
        return facts({ ids: [golden.ids, this.#runtime.tokenizer.encode(golden.text)] });
      case 'chat':
        return this.#chat(golden);
      case 'positions':
        return this.#positions(golden);
      case 'rotary': {
        const table = mropeTable(Int32Array.from(golden.ids.flat()), this.#runtime.config.text);
        return numbers(golden, table);
      }
      case 'vision':
        return numbers(golden, { embeddings: await this.#encode(golden.media, signal) });
      case 'logits':
        return this.#logits(golden, signal);
      case 'continuation':
        return this.#continuation(golden, signal);
      case 'generation':
        return this.#generation(golden, signal);
      default:
        return golden satisfies never;
    }
  }

  #chat({ messages, text, ids }: CaseOf<'chat'>): Outcome {
    const rendered = this.#runtime.template.render(
      messages.map(({ role, content }) => ({
        role: role as TemplateMessage['role'],
        content: (typeof content === 'string'
          ? [{ type: 'text', text: content }]
          : content) as TemplateMessage['content'],
      })),
    );
    const all = { text: [text, rendered] as const };
    const last = messages.at(-1);
    const system = messages.length === 2 && messages[0]?.role === 'system' ? messages[0].content : undefined;
    if (messages.length > (system === undefined ? 1 : 2) || last === undefined) return facts(all);
    // A conversation of one turn is what a prompt is made of; each medium is one token large here.
    const merge = this.#runtime.config.vision.spatialMergeSize;
    const grid = { rows: merge, columns: merge };
    const content = typeof last.content === 'string' ? [{ type: 'text', text: last.content }] : last.content;
    const parts = content.map((part): PromptPart => {
      if (part.type === 'video') return { kind: 'video', grid, pairTimes: [0] };
      return part.type === 'image' ? { kind: 'image', grid } : { kind: 'text', text: part.text ?? '' };
    });
    const prompt = this.#runtime.prompt({ parts, ...(typeof system === 'string' ? { system } : {}) });
    return facts({ ...all, ids: [ids, [...prompt.ids]] });
  }

  #positions({ spans, ids, next }: CaseOf<'positions'>): Outcome {
    const { tokensPerSecond, spatialMergeSize } = this.#runtime.config.vision;
    const found = mropePositions(spans.map(promptSpan), tokensPerSecond, spatialMergeSize);
    return facts({ ids: [ids.flat(), [...found.ids]], next: [next, found.next] });
  }

  /** Each row is the last one of a prompt that ends there. */
  async #logits(golden: CaseOf<'logits'>, signal: AbortSignal | undefined): Promise<Outcome> {
    const prompt = await this.#prompt(golden.prompt, signal);
    const logits: Float32Array[] = [];
    const hidden: Float32Array[] = [];
    for (const row of golden.rows)
      await this.#reading(this.#prefix(prompt, row + 1, golden), 0, signal, async (context) => {
        logits.push(context.logits);
        hidden.push(context.hidden);
      });
    return numbers(golden, { logits: joined(logits), hidden: joined(hidden) });
  }

  async #continuation(golden: CaseOf<'continuation'>, signal: AbortSignal | undefined): Promise<Outcome> {
    const prompt = await this.#prompt(golden.prompt, signal);
    const [first = 0, ...rest] = golden.steps;
    const logits: Float32Array[] = [];
    await this.#reading(this.#prefix(prompt, first, golden), prompt.ids.length, signal, async (context) => {
      logits.push(context.logits);
      for (const step of rest) {
        const ids = Array.from(prompt.ids).slice(context.length, context.length + step);
        logits.push(await context.append(ids, signal));
      }
    });
    return numbers(golden, { logits: joined(logits) });
  }

  async #generation(golden: CaseOf<'generation'>, signal: AbortSignal | undefined): Promise<Outcome> {
    const prompt = await this.#prompt(golden.prompt, signal);
    const { ids, finish } = await generate(this.#runtime, prompt, {
      maxNewTokens: golden.max_new_tokens,
      repetitionPenalty: golden.repetition_penalty,
      eos: golden.eos,
      ...(signal ? { signal } : {}),
    });
    return facts({ ids: [golden.ids, ids], finish: [golden.finish, finish] });
  }

  async #reading<T>(
    prompt: ModelPrompt,
    reserve: number,
    signal: AbortSignal | undefined,
    use: (context: Context) => Promise<T>,
  ): Promise<T> {
    const context = await this.#runtime.prefill(prompt, { reserve, ...(signal ? { signal } : {}) });
    try {
      return await use(context);
    } finally {
      await context.end();
    }
  }

  async #prompt(name: string, signal: AbortSignal | undefined): Promise<ModelPrompt> {
    const { tokens, vision } = this.#runtime.config;
    const ids: number[] = [];
    const spans: PromptSpan[] = [];
    const media: Float32Array[] = [];
    for (const part of this.#golden.prompts[name]?.parts ?? ([] as readonly GoldenPart[])) {
      if ('ids' in part) {
        ids.push(...part.ids);
        spans.push({ kind: 'text', length: part.ids.length });
        continue;
      }
      const medium = this.#medium(part.media);
      const span = promptSpan({ ...medium, times: medium.times ?? [] });
      const pad = medium.kind === 'video' ? tokens.videoPad : tokens.imagePad;
      for (let i = spanLength(span, vision.spatialMergeSize); i > 0; i--) ids.push(pad);
      spans.push(span);
      media.push(await this.#encode(part.media, signal));
    }
    return { ids, spans, media };
  }

  /** The first `length` tokens; a medium is in it whole or not at all. */
  #prefix({ ids, spans, media }: ModelPrompt, length: number, golden: GoldenCase): ModelPrompt {
    const kept: PromptSpan[] = [];
    let left = length;
    for (const span of spans) {
      if (left === 0) break;
      const size = spanLength(span, this.#runtime.config.vision.spatialMergeSize);
      if (span.kind !== 'text' && size > left) throw unfit(golden.name, 'asks for a token inside a medium');
      kept.push(span.kind === 'text' ? { kind: 'text', length: Math.min(size, left) } : span);
      left -= Math.min(size, left);
    }
    if (left > 0 || length === 0) throw unfit(golden.name, `asks for ${length} tokens of a prompt of ${ids.length}`);
    const shown = kept.filter(({ kind }) => kind !== 'text').length;
    return { ids: Array.from(ids).slice(0, length), spans: kept, media: media.slice(0, shown) };
  }

  #medium(name: string): GoldenMedium {
    const medium = this.#golden.media[name];
    const { patchSize, temporalPatchSize } = this.#runtime.config.vision;
    if (
      medium === undefined ||
      medium.width !== medium.columns * patchSize ||
      medium.height !== medium.rows * patchSize ||
      medium.pairs !== Math.ceil(medium.frames / temporalPatchSize)
    )
      throw unfit(name, `is not cut into patches of ${patchSize} pixels and ${temporalPatchSize} frames`);
    return medium;
  }

  async #encode(name: string, signal: AbortSignal | undefined): Promise<Float32Array> {
    const known = this.#embeddings.get(name);
    if (known) return known;
    const medium = this.#medium(name);
    const options = signal ? { signal } : {};
    const video = await this.#preprocessor.run(picturesOf(medium), medium, this.#runtime.config.vision, options);
    const embeddings = await this.#runtime.encodeVision(video, signal);
    this.#embeddings.set(name, embeddings);
    return embeddings;
  }
}

function promptSpan(span: GoldenSpan): PromptSpan {
  if (span.kind === 'text') return { kind: 'text', length: span.length };
  const grid = { rows: span.rows, columns: span.columns };
  return span.kind === 'video' ? { kind: 'video', grid, pairTimes: span.times } : { kind: 'image', grid };
}

function facts(pairs: Readonly<Record<string, readonly [expected: unknown, found: unknown]>>): Outcome {
  const all = Object.entries(pairs).map(([name, [expected, found]]) => ({ name, expected, found }));
  return { tensors: [], facts: all };
}

function numbers<Name extends string>(
  { tensors }: { readonly tensors: Readonly<Record<Name, string>> },
  values: Readonly<Record<Name, Float32Array>>,
): Outcome {
  const names = Object.keys(tensors) as Name[];
  return {
    tensors: names.flatMap((name) =>
      values[name] === undefined ? [] : { name, golden: tensors[name], values: values[name] },
    ),
    facts: [],
  };
}

function joined(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}

function unfit(name: string, what: string): LongwatchError {
  return new LongwatchError('invalid_input', `The goldens do not fit the checkpoint: "${name}" ${what}.`, {
    hint: 'Compare a checkpoint with goldens that were made from its own config.json.',
  });
}
