/** Questions that rest on the order of things: "after the lights go off, a car leaves", "a car leaves for the first time". English. Pure. */

/** A question taken apart. At least one field beside `what` is there. */
export interface OrderedQuestion {
  /** What is asked for. */
  readonly what: string;
  /** What is over when it begins. */
  readonly after?: string;
  /** What has not begun when it ends. */
  readonly before?: string;
  /** Which of all its times in a video. */
  readonly nth?: 'first' | 'last';
}

const AFTER = '(?:after|once|as soon as)';
const BEFORE = '(?:before|until)';
/** The groups are named as the fields; `a` and `b` stand for both ends of "between". A comma ends what comes first. */
const FORMS: readonly RegExp[] = [
  new RegExp(`^${AFTER} (?<after>.+?),? and ${BEFORE} (?<before>.+?), *(?<what>.+)$`, 'dis'),
  /^between (?<after>.+?) and (?<before>.+?), *(?<what>.+)$/dis,
  new RegExp(`^${AFTER} (?<after>.+?), *(?<what>.+)$`, 'dis'),
  new RegExp(`^${BEFORE} (?<before>.+?), *(?<what>.+)$`, 'dis'),
  new RegExp(`^(?<what>.+),? ${AFTER} (?<after>.+?),? and ${BEFORE} (?<before>.+)$`, 'dis'),
  /^(?<what>.+?),? between (?<after>.+?) and (?<before>.+)$/dis,
  new RegExp(`^(?<what>.+?),? ${AFTER} (?<after>.+)$`, 'dis'),
  new RegExp(`^(?<what>.+?),? ${BEFORE} (?<before>.+)$`, 'dis'),
];
const NTH: readonly RegExp[] = [
  /^(?<what>.+) for the (?<nth>first|last) time$/dis,
  /^(?:when is )?the (?<nth>first|last) time (?:that |when )?(?<what>.+)$/dis,
];
const QUOTED = /["“”„«»][^"“”„«»]*["“”„«»]/g;
const END = /[\s?.!]+$/;

/**
 * What a question rests on, or undefined where it rests on no order. Quoted text is never taken apart. "The day after tomorrow" is taken apart
 * like "a car leaves after the lights go off": whether it is a text that stands somewhere is for the caller to look up first.
 */
export function parseOrder(query: string): OrderedQuestion | undefined {
  const text = query.trim().replace(END, '');
  const placed = matchOutsideQuotes(text, FORMS);
  const nth = matchOutsideQuotes(placed?.['what'] ?? text, NTH);
  const what = nth?.['what'] ?? placed?.['what'];
  if (what === undefined) return undefined;
  const { after, before } = placed ?? {};
  return {
    what,
    ...(after === undefined ? {} : { after }),
    ...(before === undefined ? {} : { before }),
    ...(nth === undefined ? {} : { nth: nth['nth']?.toLowerCase() === 'first' ? 'first' : 'last' }),
  };
}

/** The groups of the first form that fits when quoted text is taken for one word. */
function matchOutsideQuotes(text: string, forms: readonly RegExp[]): Record<string, string | undefined> | undefined {
  const masked = text.replace(QUOTED, (quoted) => '\0'.repeat(quoted.length));
  for (const form of forms) {
    const places = form.exec(masked)?.indices?.groups;
    if (!places) continue;
    const groups = Object.entries(places).map(([name, place]) => [name, place && text.slice(...place).trim()]);
    if (groups.every(([, part]) => part !== '')) return Object.fromEntries(groups);
  }
  return undefined;
}
