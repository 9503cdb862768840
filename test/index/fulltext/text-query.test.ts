import { describe, expect, it } from 'vitest';
import { parseTextQuery } from '../../../index/fulltext/text-query.js';

describe('a text query', () => {
  it.each([
    ['when does the rabbit open its eyes', ['rabbit', 'open', 'eyes']],
    ['"white rabbit" runs', ['white rabbit', 'runs']],
    ['“white rabbit” «grey owl»', ['white rabbit', 'grey owl']],
    ['to be or not to be', ['to be or not to be']],
    ['the', []],
    ['', []],
    ['?!*()^:-+', []],
    ['🐇🐇', []],
    ['rabbit AND NOT owl* NEAR(a b)', ['rabbit', 'owl', 'NEAR', 'b']],
    ['rabbit Rabbit RABBIT', ['RABBIT']],
    ['an unclosed "quote here', ['unclosed', 'quote']],
    ['text:secret {x} ^y', ['text', 'secret', 'x', 'y']],
    ['café 兎 Ёлка', ['café', '兎', 'Ёлка']],
    ['a\u0000b rabbit\u0000', ['b', 'rabbit']],
  ])('%j asks for %j', (query, labels) => {
    expect(parseTextQuery(query).terms.map((term) => term.label)).toEqual(labels);
  });
});
