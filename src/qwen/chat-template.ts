/** A conversation as the one text that a checkpoint was trained on, by the checkpoint's own template. The only file that knows Jinja. */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Template } from '@huggingface/jinja';
import { LongwatchError, toLongwatchError } from '../errors.js';

export type TemplateContent = { readonly type: 'text'; readonly text: string } | { readonly type: 'image' | 'video' };

export interface TemplateMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: readonly TemplateContent[];
}

export interface RenderOptions {
  /** Numbers media for the model: `Video 1: `, `Picture 1: `. @default false */
  readonly visionIds?: boolean;
}

/** What Qwen2.5-VL checkpoints were trained on, for one that comes without a template. */
const DEFAULT_TEMPLATE = `
{%- set seen = namespace(pictures=0, videos=0) -%}
{%- if messages[0].role != 'system' -%}
  {{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' -}}
  {%- if message.content is string -%}
    {{- message.content -}}
  {%- else -%}
    {%- for part in message.content -%}
      {%- if part.type == 'text' -%}
        {{- part.text -}}
      {%- elif part.type == 'image' -%}
        {%- set seen.pictures = seen.pictures + 1 -%}
        {%- if add_vision_id -%}{{- 'Picture ' ~ seen.pictures ~ ': ' -}}{%- endif -%}
        {{- '<|vision_start|><|image_pad|><|vision_end|>' -}}
      {%- elif part.type == 'video' -%}
        {%- set seen.videos = seen.videos + 1 -%}
        {%- if add_vision_id -%}{{- 'Video ' ~ seen.videos ~ ': ' -}}{%- endif -%}
        {{- '<|vision_start|><|video_pad|><|vision_end|>' -}}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {{- '<|im_end|>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
`;

export class ChatTemplate {
  readonly #template: Template;
  /** Where it was read, or `built in`. */
  readonly origin: string;

  private constructor(source: string, origin: string) {
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw unusable(origin, (cause as Error).message, cause);
    }
    this.origin = origin;
  }

  static builtIn(): ChatTemplate {
    return new ChatTemplate(DEFAULT_TEMPLATE, 'built in');
  }

  /**
   * The template of a checkpoint's folder: `chat_template.jinja`, else `chat_template.json`, else `tokenizer_config.json`, as
   * transformers looks for it; the built-in one where none of them has any.
   * @throws {LongwatchError} `unreadable_file`; `bad_weights` when a file is there but holds no template that can be read.
   */
  static async open(directory: string): Promise<ChatTemplate> {
    const jinja = path.join(directory, 'chat_template.jinja');
    const source = await readIfThere(jinja);
    if (source !== undefined) return new ChatTemplate(source, jinja);
    for (const name of ['chat_template.json', 'tokenizer_config.json']) {
      const place = path.join(directory, name);
      const found = templateField(await readIfThere(place), place);
      if (found !== undefined) return new ChatTemplate(found, place);
    }
    return ChatTemplate.builtIn();
  }

  /**
   * The conversation, open for the assistant's next turn.
   * @throws {LongwatchError} `bad_weights` when the template fails on it.
   */
  render(messages: readonly TemplateMessage[], options: RenderOptions = {}): string {
    try {
      return this.#template.render({
        // Plain text is given as a string: templates of checkpoints for text know nothing else.
        messages: messages.map(({ role, content }) => ({ role, content: joinedText(content) ?? content })),
        add_generation_prompt: true,
        add_vision_id: options.visionIds ?? false,
      });
    } catch (cause) {
      throw unusable(this.origin, (cause as Error).message, cause);
    }
  }
}

function joinedText(content: readonly TemplateContent[]): string | undefined {
  const texts = content.map((part) => (part.type === 'text' ? part.text : undefined));
  return texts.includes(undefined) ? undefined : texts.join('');
}

async function readIfThere(place: string): Promise<string | undefined> {
  try {
    return await readFile(place, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toLongwatchError(error, place);
  }
}

/** `chat_template` of a JSON file: one text, or a list of named ones of which `default` counts. */
function templateField(text: string | undefined, place: string): string | undefined {
  if (text === undefined) return undefined;
  let field: unknown;
  try {
    const file: unknown = JSON.parse(text);
    field = typeof file === 'object' && file !== null ? (file as Record<string, unknown>)['chat_template'] : undefined;
  } catch (cause) {
    throw unusable(place, 'the file is not JSON', cause);
  }
  const named: unknown = Array.isArray(field)
    ? field.find((entry: { name?: unknown } | null) => entry?.name === 'default')?.template
    : field;
  if (named === undefined || named === null) return undefined;
  if (typeof named !== 'string') throw unusable(place, '"chat_template" is not text');
  return named;
}

function unusable(origin: string, reason: string, cause?: unknown): LongwatchError {
  return new LongwatchError('bad_weights', `The chat template cannot be used: ${reason}.`, {
    path: origin,
    cause,
    hint: 'Use the template that came with a Qwen2.5-VL checkpoint, or remove it to use the built-in one.',
  });
}
