/** Text and media → the token ids of a prompt, with every medium's place. */

import { LongwatchError } from '../errors.js';
import type { ChatTemplate, TemplateMessage } from './chat-template.js';
import type { SpecialTokens } from './config.js';
import { type PromptSpan, spanLength } from './mrope.js';
import { MAX_TEXT_UNITS, type QwenTokenizer } from './tokenizer.js';

type MediaSpan = Exclude<PromptSpan, { readonly kind: 'text' }>;

/** What the user shows and says, in the order in which the model reads it. Media first lets several questions share their work. */
export type PromptPart = { readonly kind: 'text'; readonly text: string } | MediaSpan;

export interface PromptInput {
  /** @default what the checkpoint's template says, for Qwen2.5-VL "You are a helpful assistant." */
  readonly system?: string;
  readonly parts: readonly PromptPart[];
  /** Numbers the media for the model. @default false */
  readonly visionIds?: boolean;
}

/** Where the tokens of one medium stand among the ids. */
export interface MediaPlace {
  /** Which of `parts` it is. */
  readonly part: number;
  readonly start: number;
  readonly length: number;
}

export interface Prompt {
  readonly ids: Int32Array;
  /** The same prompt as stretches of text and media, for `mropePositions`; together as long as `ids`. */
  readonly spans: readonly PromptSpan[];
  /** In the order of the prompt. */
  readonly mediaAt: readonly MediaPlace[];
}

export interface PromptParts {
  readonly tokenizer: QwenTokenizer;
  readonly template: ChatTemplate;
  readonly tokens: Pick<SpecialTokens, 'imagePad' | 'videoPad'>;
  readonly spatialMerge: number;
}

/**
 * Builds a prompt. The template's own words may hold control tokens; what a person wrote never does, even when it spells one or
 * completes one that the text before it began. The template's single pad of each medium becomes as many as the medium has tokens.
 *
 * Text of the template and of the user that meet are cut into tokens together, as the checkpoint saw them in training.
 * @throws {LongwatchError} `invalid_input` for more text than a prompt takes; `bad_weights` when the template loses, moves or adds
 * text or media.
 */
export function buildPrompt(input: PromptInput, { tokenizer, template, tokens, spatialMerge }: PromptParts): Prompt {
  const texts = [input.system ?? '', ...input.parts.map((part) => (part.kind === 'text' ? part.text : ''))];
  checkLength(texts);
  const mark = unusedCharacter(texts);
  const rendered = template.render(markedMessages(input, mark), { visionIds: input.visionIds ?? false });
  // Between an odd mark and the next stands what a person wrote.
  const pieces = rendered.split(mark);
  checkTexts(texts, pieces, template);

  const writer = new PromptWriter(tokenizer);
  const media = input.parts.flatMap((span, part) => (span.kind === 'text' ? [] : [{ span, part }]));
  let shown = 0;
  const controls = controlPattern(tokenizer);
  for (const [index, piece] of pieces.entries()) {
    const written = index % 2 === 1;
    for (const text of piece.split(controls)) {
      const id = written ? undefined : tokenizer.controls.get(text);
      if (id === undefined) writer.text(text);
      else if (id === tokens.imagePad || id === tokens.videoPad) {
        const next = media[shown++];
        if (next?.span.kind !== (id === tokens.videoPad ? 'video' : 'image')) throw otherMedia(template);
        writer.media(next.span, next.part, id, spanLength(next.span, spatialMerge));
      } else writer.control(id);
    }
  }
  if (shown !== media.length) throw otherMedia(template);
  return writer.end();
}

/** Collects ids and spans; text that is not interrupted is encoded in one go. */
class PromptWriter {
  readonly #tokenizer: QwenTokenizer;
  readonly #ids: number[] = [];
  readonly #spans: PromptSpan[] = [];
  readonly #mediaAt: MediaPlace[] = [];
  #text = '';
  /** Where the current span of text begins. */
  #from = 0;

  constructor(tokenizer: QwenTokenizer) {
    this.#tokenizer = tokenizer;
  }

  text(text: string): void {
    this.#text += text;
  }

  control(id: number): void {
    this.#flush();
    this.#ids.push(id);
  }

  media(span: MediaSpan, part: number, pad: number, length: number): void {
    this.#flush();
    this.#closeText();
    this.#mediaAt.push({ part, start: this.#ids.length, length });
    for (let i = 0; i < length; i++) this.#ids.push(pad);
    this.#spans.push(span);
    this.#from = this.#ids.length;
  }

  end(): Prompt {
    this.#flush();
    this.#closeText();
    return { ids: Int32Array.from(this.#ids), spans: this.#spans, mediaAt: this.#mediaAt };
  }

  #flush(): void {
    for (const id of this.#tokenizer.encode(this.#text)) this.#ids.push(id);
    this.#text = '';
  }

  #closeText(): void {
    const length = this.#ids.length - this.#from;
    if (length > 0) this.#spans.push({ kind: 'text', length });
  }
}

function markedMessages(input: PromptInput, mark: string): TemplateMessage[] {
  const text = (written: string) => ({ type: 'text' as const, text: mark + written + mark });
  const user: TemplateMessage = {
    role: 'user',
    content: input.parts.map((part) => (part.kind === 'text' ? text(part.text) : { type: part.kind })),
  };
  return input.system === undefined ? [user] : [{ role: 'system', content: [text(input.system)] }, user];
}

/** A character, of the private use area while it lasts, that nobody wrote; a prompt has no room for all of them. */
function unusedCharacter(texts: readonly string[]): string {
  const written = new Set(texts.join(''));
  let code = 0xe000;
  while (written.has(String.fromCodePoint(code))) code++;
  return String.fromCodePoint(code);
}

/** Matches control tokens, the longest first where one begins with another; `split` keeps them. */
function controlPattern(tokenizer: QwenTokenizer): RegExp {
  const contents = [...tokenizer.controls.keys()].sort((a, b) => b.length - a.length);
  return new RegExp(`(${contents.map((content) => content.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|')})`, 'u');
}

function checkLength(texts: readonly string[]): void {
  const units = texts.reduce((sum, text) => sum + text.length, 0);
  // What the template adds has room beside it.
  const limit = MAX_TEXT_UNITS / 2;
  if (units > limit) {
    throw new LongwatchError('invalid_input', `A prompt of ${units} characters is too long; ${limit} are possible.`, {
      hint: 'Ask with fewer words.',
    });
  }
}

/** Every text that was given stands in the prompt once, whole and in order. */
function checkTexts(texts: readonly string[], pieces: readonly string[], template: ChatTemplate): void {
  const found = pieces.filter((_, index) => index % 2 === 1).join('');
  if (pieces.length % 2 === 1 && found === texts.join('')) return;
  throw new LongwatchError('bad_weights', 'The chat template does not keep the texts of a conversation as they are.', {
    path: template.origin,
    hint: HINT,
  });
}

function otherMedia(template: ChatTemplate): LongwatchError {
  return new LongwatchError('bad_weights', 'The chat template does not give each video and picture its place.', {
    path: template.origin,
    hint: HINT,
  });
}

const HINT = 'Use the template that came with a Qwen2.5-VL checkpoint, or remove it to use the built-in one.';
