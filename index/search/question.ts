/** A question taken apart: what is asked for, and what it is placed by or kept from; "how often" is taken off, since every answer is counted. English; other languages are asked as they are. Pure. */

import type { Seconds } from '../../src/time.js';

/** What is left of a question, and what was taken off. */
export interface TakenApart {
  /** What is asked for. */
  readonly what: string;
  /** What is over when it begins. */
  readonly after?: string;
  /** What has not begun when it ends. */
  readonly before?: string;
  /** Which of all its times in a video. */
  readonly nth?: 'first' | 'last';
  /** The part of every video that is asked about. */
  readonly within?: { readonly side: 'first' | 'last'; readonly length: Seconds };
  /** What must not be there at the same time. */
  readonly without?: string;
}

type Groups = Readonly<Record<string, string | undefined>>;

const AFTER = '(?:after|once|as soon as)';
const BEFORE = '(?:before|until)';
/** The groups are named as the fields. A comma ends what comes first. */
const ORDERS = forms(
  `^${AFTER} (?<after>.+?),? and ${BEFORE} (?<before>.+?), *(?<what>.+)$`,
  '^between (?<after>.+?) and (?<before>.+?), *(?<what>.+)$',
  `^${AFTER} (?<after>.+?), *(?<what>.+)$`,
  `^${BEFORE} (?<before>.+?), *(?<what>.+)$`,
  `^(?<what>.+),? ${AFTER} (?<after>.+?),? and ${BEFORE} (?<before>.+)$`,
  '^(?<what>.+?),? between (?<after>.+?) and (?<before>.+)$',
  `^(?<what>.+?),? ${AFTER} (?<after>.+)$`,
  `^(?<what>.+?),? ${BEFORE} (?<before>.+)$`,
);
const NTHS = forms(
  '^(?<what>.+) for the (?<nth>first|last) time$',
  '^(?:when is )?the (?<nth>first|last) time (?:that |when )?(?<what>.+)$',
);
const PART =
  'in the (?<side>first|last) (?:(?<number>\\d+(?:\\.\\d+)?|one|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|half an|an?) )?(?<unit>second|minute|hour)s?(?: of (?:it|all|the|each|every)(?: videos?| films?)?)?';
const PARTS = forms(`^(?<what>.+?),? ${PART}$`, `^${PART}, *(?<what>.+)$`);
const COUNTS = forms('^how (?:often|many times) (?:does|do|did|is|are|was|were|has|have)? ?(?<what>.+)$');
const WITHOUTS = forms('^(?<what>.+?),? (?:without|but not|but no|and no) (?<without>.+)$');

const QUOTED = /["“”„«»][^"“”„«»]*["“”„«»]/g;
const END = /[\s?.!]+$/;
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ 'half an': 0.5, a: 1, an: 1, one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9 },
  ...{ ten: 10, twenty: 20, thirty: 30 },
};
const UNITS: Readonly<Record<string, Seconds>> = { second: 1, minute: 60, hour: 3600 };

/**
 * Undefined for a question that is whole. Quoted text is never taken apart. "The day after tomorrow" is taken apart like "a car leaves after
 * the lights go off": whether it is a text that stands somewhere is for the caller to look up first.
 */
export function takeApart(query: string): TakenApart | undefined {
  const text = query.trim().replace(END, '');
  const counted = match(text, COUNTS);
  const part = match(counted?.['what'] ?? text, PARTS);
  const placed = match(part?.['what'] ?? counted?.['what'] ?? text, ORDERS);
  const nth = match(placed?.['what'] ?? part?.['what'] ?? counted?.['what'] ?? text, NTHS);
  const kept = match(nth?.['what'] ?? placed?.['what'] ?? part?.['what'] ?? counted?.['what'] ?? text, WITHOUTS);
  const what = (kept ?? nth ?? placed ?? part ?? counted)?.['what'];
  if (what === undefined) return undefined;
  const { after, before } = placed ?? {};
  return {
    what,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(nth ? { nth: sideOf(nth['nth']) } : {}),
    ...(part ? { within: { side: sideOf(part['side']), length: lengthOf(part) } } : {}),
    ...(kept?.['without'] === undefined ? {} : { without: kept['without'] }),
  };
}

function forms(...patterns: readonly string[]): readonly RegExp[] {
  return patterns.map((pattern) => new RegExp(pattern, 'dis'));
}

/** The groups of the first form that fits when quoted text is taken for one word. */
function match(text: string, patterns: readonly RegExp[]): Groups | undefined {
  const masked = text.replace(QUOTED, (quoted) => '\0'.repeat(quoted.length));
  for (const pattern of patterns) {
    const places = pattern.exec(masked)?.indices?.groups;
    if (!places) continue;
    const groups = Object.entries(places).map(([name, place]) => [name, place && text.slice(...place).trim()]);
    if (groups.every(([, part]) => part !== '')) return Object.fromEntries(groups);
  }
  return undefined;
}

function sideOf(word: string | undefined): 'first' | 'last' {
  return word?.toLowerCase() === 'first' ? 'first' : 'last';
}

function lengthOf({ number = 'one', unit = 'second' }: Groups): Seconds {
  const count = NUMBERS[number.toLowerCase()] ?? Number(number);
  return count * (UNITS[unit.toLowerCase()] ?? 1);
}
