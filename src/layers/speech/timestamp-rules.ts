/**
 * Which token may come next when Whisper writes text with times: the rules of the reference implementation (`ApplyTimestampRules`,
 * `SuppressBlank`, `SuppressTokens`), on the logits of one step.
 */

import type { Seconds } from '../../time.js';

export interface WhisperTokens {
  readonly endOfText: number;
  readonly startOfTranscript: number;
  readonly transcribe: number;
  readonly noSpeech: number;
  readonly noTimestamps: number;
  /** `<|0.00|>`; each later one is 20 ms further. All ids from here on are times. */
  readonly firstTime: number;
  /** Language code → id. */
  readonly languages: Readonly<Record<string, number>>;
  /** Never said: signs that are no speech, and control tokens. */
  readonly suppressed: readonly number[];
  /** Not at the beginning: a blank. */
  readonly suppressedFirst: readonly number[];
}

/** Seconds from one time token to the next. */
export const TIME_STEP = 0.02;
/** A window's text begins at most a second behind its start. */
const LATEST_BEGINNING = 50;

/**
 * Sets the logits of what may not come next to −∞, in place.
 * @param said what was written so far in this window, without the prompt
 * @param lastSpeech somebody surely speaks here: the text does not end at a time before it. Not a rule of the reference, which
 * knows nothing of speech; Whisper sometimes ends its text in a pause.
 */
export function applyTimestampRules(
  logits: Float32Array,
  said: readonly number[],
  tokens: WhisperTokens,
  lastSpeech: Seconds = 0,
): void {
  const { firstTime, endOfText } = tokens;
  for (const id of tokens.suppressed) logits[id] = -Infinity;
  logits[tokens.noTimestamps] = -Infinity;
  if (said.length === 0) {
    for (const id of tokens.suppressedFirst) logits[id] = -Infinity;
    // A window begins with a time.
    logits.fill(-Infinity, 0, firstTime);
    logits.fill(-Infinity, firstTime + LATEST_BEGINNING + 1);
    return;
  }
  const isTime = (id: number | undefined) => id !== undefined && id >= firstTime;
  const lastWasTime = isTime(said.at(-1));
  // The end of a segment is followed by the beginning of the next, or by nothing.
  const pairIsOpen = lastWasTime && !(said.length < 2 || isTime(said.at(-2)));
  if (lastWasTime && !pairIsOpen) logits.fill(-Infinity, firstTime);
  if (pairIsOpen) logits.fill(-Infinity, 0, endOfText);
  const lastTime = said.findLast(isTime);
  if (lastWasTime && lastTime !== undefined && (lastTime - firstTime) * TIME_STEP < lastSpeech)
    logits[endOfText] = -Infinity;
  // Times do not run backwards, and a segment is not empty.
  if (lastTime !== undefined) logits.fill(-Infinity, firstTime, pairIsOpen ? lastTime : lastTime + 1);
  // All times together more probable than any one text token: then a time it is.
  let [loudestText, loudestTime] = [-Infinity, -Infinity];
  for (let id = 0; id < firstTime; id++) loudestText = Math.max(loudestText, logits[id] ?? -Infinity);
  for (let id = firstTime; id < logits.length; id++) loudestTime = Math.max(loudestTime, logits[id] ?? -Infinity);
  if (loudestTime === -Infinity) return;
  let sum = 0;
  for (let id = firstTime; id < logits.length; id++) sum += Math.exp((logits[id] ?? -Infinity) - loudestTime);
  if (loudestTime + Math.log(sum) > loudestText) logits.fill(-Infinity, 0, firstTime);
}
