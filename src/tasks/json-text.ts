/**
 * JSON in what a model wrote. A local model is held to its schema; a server may not be, and then puts JSON into a fence, between
 * sentences, or writes it the way Python does. Reading is forgiving, but never invents: a text that breaks off has no value.
 */

const MAX_DEPTH = 64;
/** Places at which a value is looked for; prose has few brackets. */
const MAX_ATTEMPTS = 50;
const MAX_CHARACTERS = 2_000_000;

/**
 * The JSON values that stand in a text: the text itself when it is one, else its objects and arrays from left to right. Takes time
 * linear in the length of the text.
 */
export function* jsonValues(text: string): Generator<unknown> {
  if (text.length > MAX_CHARACTERS) return;
  const whole = exactly(text);
  if (whole !== undefined) {
    yield whole.value;
    return;
  }
  let at = 0;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const start = text.slice(at).search(/[[{]/);
    if (start < 0) return;
    const reader = new Reader(text, at + start);
    try {
      const value = reader.value(0);
      at = reader.at;
      yield value;
    } catch (thrown) {
      if (!(thrown instanceof NotJson)) throw thrown;
      // A part of an answer that breaks off is not an answer.
      if (thrown.reason !== 'character') return;
      at += start + 1;
    }
  }
}

function exactly(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

class NotJson extends Error {
  constructor(readonly reason: 'character' | 'end' | 'depth') {
    super(reason);
  }
}

const ESCAPES: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** Words without quotes. Numbers that JSON cannot hold become null, which no reader of a time or a place takes for one. */
const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ['true', true],
  ['True', true],
  ['false', false],
  ['False', false],
  ['null', null],
  ['None', null],
  ['undefined', null],
  ['NaN', null],
  ['nan', null],
  ['Infinity', null],
  ['-Infinity', null],
  ['inf', null],
  ['-inf', null],
]);

/** Reads one value: JSON, and besides single quotes, bare keys, trailing commas, raw line breaks in strings and clock times. */
class Reader {
  constructor(
    readonly text: string,
    public at: number,
  ) {}

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new NotJson('depth');
    const first = this.#next();
    if (first === '{') return this.#object(depth);
    if (first === '[') return this.#array(depth);
    return first === '"' || first === "'" ? this.#string(first) : this.#word();
  }

  #object(depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.at++;
    while (this.#next() !== '}') {
      const quote = this.#next();
      const key = quote === '"' || quote === "'" ? this.#string(quote) : this.#run(/[\w$-]+/y);
      this.#take(':');
      entries.push([key, this.value(depth + 1)]);
      if (this.#next() !== '}') this.#take(',');
    }
    this.at++;
    return Object.fromEntries(entries);
  }

  #array(depth: number): unknown[] {
    const items: unknown[] = [];
    this.at++;
    while (this.#next() !== ']') {
      items.push(this.value(depth + 1));
      if (this.#next() !== ']') this.#take(',');
    }
    this.at++;
    return items;
  }

  #string(quote: string): string {
    let content = '';
    this.at++;
    for (;;) {
      const character = this.text[this.at++];
      if (character === undefined) throw new NotJson('end');
      if (character === quote) return content;
      content += character === '\\' ? this.#escape() : character;
    }
  }

  #escape(): string {
    const character = this.text[this.at++];
    if (character === undefined) throw new NotJson('end');
    if (character !== 'u') return ESCAPES[character] ?? character;
    if (this.at + 4 > this.text.length) throw new NotJson('end');
    const unit = this.#run(/[\da-fA-F]{4}/y);
    return String.fromCharCode(Number.parseInt(unit, 16));
  }

  #word(): unknown {
    const word = this.#run(/[\w.+:-]+/y);
    const known = WORDS.get(word);
    if (known !== undefined) return known;
    if (/^\d+(?::\d+)+(?:\.\d+)?$/.test(word)) return word;
    const number = Number(word);
    // The beginning of `null` at the end of the text is a text that breaks off.
    if (Number.isNaN(number)) throw new NotJson(this.at >= this.text.length ? 'end' : 'character');
    return Number.isFinite(number) ? number : null;
  }

  #run(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found === undefined) throw new NotJson(this.at >= this.text.length ? 'end' : 'character');
    this.at += found.length;
    return found;
  }

  #take(character: string): void {
    if (this.#next() !== character) throw new NotJson('character');
    this.at++;
  }

  /** The next character that is no blank; it stays unread. */
  #next(): string {
    while (BLANKS.has(this.text.charCodeAt(this.at))) this.at++;
    const character = this.text[this.at];
    if (character === undefined) throw new NotJson('end');
    return character;
  }
}

/** Tab, line feed, carriage return, space, no-break space. */
const BLANKS: ReadonlySet<number> = new Set([0x09, 0x0a, 0x0d, 0x20, 0xa0]);

/** The first of several names that an object has; models translate names freely. */
export function fieldOf(value: Readonly<Record<string, unknown>>, names: readonly string[]): unknown {
  const name = names.find((candidate) => Object.hasOwn(value, candidate));
  return name === undefined ? undefined : value[name];
}

/** A number, also one that is written as text; undefined for anything else and for what is not finite. */
export function readNumber(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined;
  if (typeof value !== 'string' || !/^\s*[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\s*$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isFinite(number) ? number : undefined;
}
