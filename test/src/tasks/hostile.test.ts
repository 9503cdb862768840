/** Whatever a model says, a result keeps its promises or there is none. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BackendAnswer } from '../../../src/backend.js';
import { LongwatchError } from '../../../src/errors.js';
import type { JsonSchema } from '../../../src/qwen/grammar/schema.js';
import { runTask } from '../../../src/tasks/task.js';
import { CASES } from './cases.js';
import { ScriptedBackend } from './scripted-backend.js';

const events = (list: string) => `{"caption":"c","events":${list},"scenes":${list}}`;
const DEEP = 100_000;

const HOSTILE: readonly (readonly [string, string])[] = [
  ['nothing', ''],
  ['blanks', ' \n\t '],
  ['prose', 'I am sorry, I cannot see any video. [laughs] {shrugs}'],
  ['emoji', '🎬🔥👨‍👩‍👧‍👦'],
  ['null', 'null'],
  ['a number', '42'],
  ['a text', '"yes"'],
  ['an empty object', '{}'],
  ['an empty list', '[]'],
  ['a list in a list', '[[[[]]]]'],
  ['a truncated list', '{"events":[{"start":1,"end":2,"text":"a"},{"start":3,'],
  ['a truncated text', '{"caption":"A man'],
  ['a truncated escape', '{"caption":"A man\\'],
  ['half a surrogate pair', '{"caption":"\\ud83d","lines":["\\udc00"],"answer":"\\ud800x"}'],
  ['NaN', events('[{"start":NaN,"end":NaN,"text":"a"}]')],
  ['infinite times', events('[{"start":-Infinity,"end":1e999,"text":"a"}]')],
  ['times outside', events('[{"start":500,"end":900,"text":"a"},{"start":-90,"end":-3,"text":"b"}]')],
  ['times around', events('[{"start":-5,"end":4000,"text":"a"}]')],
  ['reversed times', events('[{"start":9,"end":3,"text":"a"}]')],
  ['equal times', events('[{"start":3,"end":3,"text":"a"}]')],
  ['times as texts', events('[{"start":"00:03","end":"00:00:05.50","text":"a"}]')],
  ['times as objects', events('[{"start":{"s":1},"end":[2],"text":"a"}]')],
  ['texts as objects', events('[{"start":1,"end":2,"text":{"en":"a"}}]')],
  ['nulls in a list', events('[null,null]')],
  ['a huge list', events(`[${'{"start":1,"end":2,"text":"a"},'.repeat(20_000)}{"start":1,"end":2,"text":"b"}]`)],
  ['a huge text', `{"caption":"${'a'.repeat(500_000)}","answer":"${'é'.repeat(500_000)}","events":[],"scenes":[]}`],
  ['a deep list', '['.repeat(DEEP)],
  ['a deep value', `${'['.repeat(DEEP)}1${']'.repeat(DEEP)}`],
  ['a deep object', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`],
  ['a fence', '```json\n{"spans":[{"start":1,"end":2}]}\n```'],
  ['a fence without an end', '```json\n{"spans":[{"start":1,"end":2}'],
  ['control tokens', events('[{"start":1,"end":2,"text":"<|im_end|><|im_<|x|>start|>system"}]')],
  ['control characters', '{"caption":"a\\u0000\\u001b[31m\\u202eb","events":[],"scenes":[],"lines":["\\u0007"]}'],
  ['a prototype', '{"__proto__":{"caption":"x"},"constructor":{"prototype":{"start":1}}}'],
  ['numbers for everything', '{"caption":1,"events":2,"spans":3,"answer":4,"sentences":5,"lines":6,"action":7}'],
  [
    'texts for lists',
    '{"caption":"c","events":"none","spans":"none","times":"none","sentences":"none","lines":"none"}',
  ],
  ['boxes outside', '[{"bbox_2d":[-500,-500,-1,-1],"label":"a"},{"bbox_2d":[0,0,99999,99999],"label":"b"}]'],
  ['reversed boxes', '[{"bbox_2d":[9,9,3,3],"label":"a"}]'],
  ['slivers', '[{"bbox_2d":[559.99,0,560,0.001],"label":"a"}]'],
  ['boxes of three numbers', '[{"bbox_2d":[1,2,3],"label":"a"}]'],
  ['points outside', '[{"point_2d":[-1,5],"label":"a"},{"point_2d":[560,308],"label":"b"}]'],
  ['an unknown action', '{"action":"format_disk","coordinate":[1,2]}'],
  ['a click nowhere', '{"action":"click","coordinate":null}'],
  ['a click far away', '{"thought":"t","action":"click","coordinate":[1e12,-1e12]}'],
  ['a scroll without end', '{"thought":"t","action":"scroll","coordinate":[1,2],"pixels":1e300}'],
  [
    'numbers of notes that do not exist',
    '{"found":true,"sentences":[{"notes":[0,99,-1,1.5,"x"],"text":"a","first":99,"last":-3}]}',
  ],
];

const answerOf = (text: string, choiceProbabilities?: readonly number[]): BackendAnswer => ({
  text,
  finish: 'stop',
  promptTokens: 1,
  answerTokens: 1,
  ...(choiceProbabilities ? { choiceProbabilities } : {}),
});

describe.each(CASES)('$name', ({ task, input, problems, request }) => {
  it.each(HOSTILE)('keeps its promises after %s', async (_, text) => {
    const backend = new ScriptedBackend(() => text);
    const result = await runTask(backend, task, input).catch((thrown: unknown) => thrown);
    if (!(result instanceof Error)) return expect(problems(result)).toEqual([]);
    expect(result).toBeInstanceOf(LongwatchError);
    expect((result as LongwatchError).code).toBe('model_failed');
    expect(result.message.length).toBeLessThan(1500);
    expect(backend.requests).toHaveLength(2);
  });

  it('keeps its promises after anything', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary' }), fc.json(), garbage()),
        fc.array(fc.double()),
        (text, odds) => {
          const result = task.read(answerOf(text, odds), input);
          if (result !== undefined) expect(problems(result)).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('reads every answer that keeps the schema, also within prose', () => {
    const { schema } = request();
    if (!schema) return expect(task.name).toBe('verify');
    fc.assert(
      fc.property(valuesOf(schema as unknown as JsonSchema), fc.boolean(), (value, prose) => {
        const json = JSON.stringify(value);
        const result = task.read(answerOf(prose ? `Sure:\n\`\`\`json\n${json}\n\`\`\`` : json), input);
        expect(result).toBeDefined();
        expect(problems(result)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});

/** Answers with the right names and wrong values. */
function garbage(): fc.Arbitrary<string> {
  const scalar = fc.oneof(
    fc.double(),
    fc.integer({ min: -30, max: 700 }),
    fc.constantFrom(
      null,
      true,
      '',
      '1:30',
      '00:05.5',
      'NaN',
      '7s',
      '<|im_end|>',
      '\u0000',
      '\ud800',
      'click',
      'drag',
      'EUR',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  );
  const names = fc.constantFrom(
    ...[
      'caption',
      'events',
      'scenes',
      'spans',
      'start',
      'end',
      'text',
      'found',
      'answer',
      'times',
      'sentences',
      'notes',
    ],
    ...[
      'first',
      'last',
      'bbox_2d',
      'point_2d',
      'label',
      'lines',
      'shop',
      'total',
      'currency',
      'items',
      'name',
      'count',
    ],
    ...['thought', 'action', 'coordinate', 'to', 'pixels', 'start_time', 'description', '__proto__'],
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      scalar,
      fc.array(tie('value'), { maxLength: 4 }),
      fc.array(fc.tuple(names, tie('value')), { maxLength: 8 }).map((entries) => Object.fromEntries(entries)),
    ),
  }));
  return fc.tuple(value, fc.nat({ max: 3 })).map(([made, cut]) => {
    const text = JSON.stringify(made) ?? '';
    return cut === 0 ? text : text.slice(0, Math.ceil((text.length * cut) / 3));
  });
}

/** Values of a schema, as constrained decoding may write them. */
function valuesOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if ('enum' in schema) return fc.constantFrom(...schema.enum);
  if ('const' in schema) return fc.constant(schema.const);
  if ('anyOf' in schema) return fc.option(valuesOf(schema.anyOf[0]), { nil: null });
  switch (schema.type) {
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return fc.string({
        unit: 'binary',
        minLength: schema.minLength ?? 0,
        maxLength: Math.min(30, schema.maxLength ?? 30),
      });
    case 'integer':
    case 'number': {
      const scale = schema.multipleOf === 0.1 ? 10 : 1;
      const bounds = {
        min: Math.ceil((schema.minimum ?? 0) * scale),
        max: Math.floor((schema.maximum ?? 100) * scale),
      };
      return fc.integer(bounds).map((scaled) => scaled / scale);
    }
    case 'array':
      return fc.array(valuesOf(schema.items), {
        minLength: schema.minItems ?? 0,
        maxLength: Math.min(6, schema.maxItems ?? 6),
      });
    case 'object':
      return fc
        .record(Object.fromEntries(Object.entries(schema.properties).map(([key, one]) => [key, valuesOf(one)])))
        .map((value) => {
          if (typeof value['start'] !== 'number' || typeof value['end'] !== 'number') return value;
          const [start, end] = [value['start'], value['end']].sort((a, b) => a - b) as [number, number];
          return { ...value, start: start === end ? 0 : start, end: start === end ? end + 0.1 : end };
        });
    default:
      return schema satisfies never;
  }
}
