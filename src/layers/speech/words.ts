/** Whisper's tokens → words with times, and words → sentences. */

import type { Seconds, TimeRange } from '../../time.js';

/** A word with the space before it and the marks behind it. */
export interface Word extends TimeRange {
  readonly text: string;
}

export interface TimedToken {
  readonly bytes: Uint8Array;
  readonly start: Seconds;
  /** It was said before this: where its segment ends. */
  readonly limit: Seconds;
}

/** Languages written without spaces: each character stands for itself. */
const SPACELESS = new Set(['zh', 'ja', 'th', 'lo', 'my', 'yue', 'bo', 'km']);
/** A sentence ends behind these, and whatever closes it. */
const SENTENCE_END = /[.!?…。！？।؟]["'”’»)\]」』]*$/u;
/** Ends in a full stop and is no end: an initial, a title. */
const ABBREVIATION = /^\s*(?:\p{Lu}|Mrs?|Ms|Dr|Prof|St|Jr|Sr|vs|No|etc|e\.g|i\.e)\.$/u;
const MARKS_ONLY = /^[\p{P}\p{S}]+$/u;
/** A pause of this length between words ends a sentence, whatever the marks say. */
const SENTENCE_PAUSE: Seconds = 0.8;
/** Behind this much a sentence ends at the next comma … */
const LONG_SENTENCE: Seconds = 12;
/** … and behind this at the next word. */
const LONGEST_SENTENCE: Seconds = 20;

/** @param tokens of text only, in order */
export function joinWords(tokens: readonly TimedToken[], language: string): Word[] {
  const words: { text: string; start: Seconds; end: Seconds }[] = [];
  const alone = SPACELESS.has(language);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  let pending: Seconds | undefined;
  for (const [index, { bytes, start, limit }] of tokens.entries()) {
    // A token may end in the middle of a character.
    const last = index === tokens.length - 1;
    const text = decoder.decode(bytes, { stream: !last });
    const begun = pending ?? Math.min(start, limit);
    pending = text === '' ? begun : undefined;
    if (text === '') continue;
    const until = Math.min(tokens[index + 1]?.start ?? limit, limit);
    const before = words.at(-1);
    if (before && !text.startsWith(' ') && (!alone || MARKS_ONLY.test(text.trim()))) {
      before.text += text;
      // A mark is not said.
      if (!MARKS_ONLY.test(text.trim())) before.end = until;
    } else words.push({ text, start: begun, end: until });
  }
  return words;
}

/** Words up to the end of a sentence, a long pause, or where it is long enough. */
export function splitSentences(words: readonly Word[]): Word[][] {
  const sentences: Word[][] = [];
  let open: Word[] = [];
  for (const [index, word] of words.entries()) {
    open.push(word);
    const next = words[index + 1];
    if (!next || endsSentence(open, word, next)) {
      sentences.push(open);
      open = [];
    }
  }
  return sentences;
}

function endsSentence(open: readonly Word[], word: Word, next: Word): boolean {
  const text = word.text.trim();
  const length = word.end - (open[0]?.start ?? word.start);
  if (SENTENCE_END.test(text) && !ABBREVIATION.test(text)) return true;
  if (next.start - word.end >= SENTENCE_PAUSE) return true;
  return length >= LONGEST_SENTENCE || (length >= LONG_SENTENCE && /[,;:،、，]$/u.test(text));
}
