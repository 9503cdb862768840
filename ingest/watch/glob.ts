/** Globs over paths, as `--include` and `--exclude` take them. */

import { LongwatchError } from '../../src/errors.js';

/**
 * Whether a path, relative to the watched folder and with `/` between its parts, matches the glob. `*` and `?` stay inside a part, `**`
 * crosses parts, `[a-z]` and `{one,two}` choose, `\` takes the next character as it is. A glob without `/` looks at the last part only.
 * Case counts.
 * @throws {LongwatchError} `invalid_input` when a bracket or brace is not closed
 */
export function globMatcher(glob: string): (relativePath: string) => boolean {
  const pattern = new RegExp(`^(?:${source(glob.replace(/^\.?\//, ''))})$`, 'su');
  if (glob.includes('/')) return (file) => pattern.test(file);
  return (file) => pattern.test(file.slice(file.lastIndexOf('/') + 1));
}

function source(glob: string): string {
  let made = '';
  for (let at = 0; at < glob.length; ) {
    const rest = glob.slice(at);
    const [taken, regex] = piece(rest, glob);
    made += regex;
    at += taken;
  }
  return made;
}

/** The first piece of a glob: how many characters it takes and what they mean. */
function piece(rest: string, whole: string): readonly [number, string] {
  // `**/` also means no folder at all, and `/**` at the end means everything below.
  if (rest.startsWith('**/')) return [3, '(?:[^/]+/)*'];
  if (rest.startsWith('**')) return [2, '.*'];
  switch (rest[0]) {
    case '*':
      return [1, '[^/]*'];
    case '?':
      return [1, '[^/]'];
    case '\\':
      return [Math.min(2, rest.length), literal(rest[1] ?? '\\')];
    case '[': {
      const [all, not, choice] = /^\[([!^]?)(\]?[^\]]*)\]/.exec(rest) ?? unclosed(whole, '[');
      return [all.length, `(?!/)[${not ? '^' : ''}${(choice ?? '').replace(/[\\[\]^]/g, '\\$&')}]`];
    }
    case '{': {
      const end = closingBrace(rest) ?? unclosed(whole, '{');
      return [end + 1, `(?:${branches(rest.slice(1, end)).map(source).join('|')})`];
    }
    default: {
      const character = String.fromCodePoint(rest.codePointAt(0) ?? 0);
      return [character.length, literal(character)];
    }
  }
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function closingBrace(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '{') depth++;
    else if (text[at] === '}' && --depth === 0) return at;
  }
  return undefined;
}

/** What lies between the commas that are in no inner brace. */
function branches(text: string): string[] {
  const found = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '{') depth++;
    if (character === '}') depth--;
    if (character === ',' && depth === 0) found.push('');
    else found[found.length - 1] += character;
  }
  return found;
}

function unclosed(glob: string, bracket: string): never {
  throw new LongwatchError('invalid_input', `In the glob "${glob}" a "${bracket}" is not closed.`, {
    hint: `Close it, or write \\${bracket} for the character itself.`,
  });
}
