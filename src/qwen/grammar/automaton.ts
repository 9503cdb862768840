/**
 * Runs a schema's program over bytes: which byte may come next, where it leads, and the shortest way to the end from anywhere.
 * States are values: nothing is changed, so one state can be tried with many bytes.
 */

import {
  emptyNumber,
  isFull,
  isWhole,
  type NumberPrefix,
  scaledAbove,
  scaledValue,
  shortestEnd,
  withByte,
} from './number-text.js';
import { ITEM_SEPARATOR, type OptionNode, type Program, type Step } from './program.js';
import { BETWEEN, CLOSED, characterEnd, REFUSED, STRING_STATES, stringStep } from './string-text.js';

/** Items that are complete or begun, of the arrays around a state; the innermost first. */
interface Counts {
  readonly items: number;
  readonly outer: Counts | undefined;
}

/**
 * Where a text stands. `local` is what the current step has seen: bytes of a text, of `null` or of a separator; the node of the options;
 * of a string its state + STRING_STATES · its length; of a number its prefix.
 */
export interface State {
  readonly step: number;
  readonly local: number | OptionNode | NumberPrefix;
  readonly counts: Counts | undefined;
  /** Scaled values of numbers that greater ones refer to. */
  readonly slots: readonly number[];
}

const QUOTE = 0x22;
const CLOSE = 0x5d;
const NULL = new TextEncoder().encode('null');
const SEPARATOR = new TextEncoder().encode(ITEM_SEPARATOR);
const FILL = 0x2e;

export class Automaton {
  readonly #steps: readonly Step[];
  readonly #slots: number;

  constructor(program: Program) {
    this.#steps = program.steps;
    this.#slots = program.slots;
  }

  start(): State {
    return this.#enter(0, undefined, new Array<number>(this.#slots).fill(0));
  }

  /** The state after one byte, or undefined when the byte cannot stand here. */
  next(from: State, byte: number): State | undefined {
    for (let state = from; ; ) {
      const step = this.#steps[state.step];
      if (step === undefined) return undefined;
      const taken = this.#take(step, state, byte);
      if (taken === undefined) {
        if (!this.#mayEnd(step, state)) return undefined;
        state = this.#leave(step, state);
      } else if (taken.consumed) return taken.state;
      else state = taken.state;
    }
  }

  /** Whether the text may end here. */
  complete(from: State): boolean {
    let state = from;
    for (let step = this.#steps[state.step]; step !== undefined; step = this.#steps[state.step]) {
      if (!this.#mayEnd(step, state)) return false;
      state = this.#leave(step, state);
    }
    return true;
  }

  /** Whether the text must end here. */
  ended(state: State): boolean {
    return this.#steps[state.step] === undefined;
  }

  /** The string that a state stands in. */
  string(
    state: State,
  ): { readonly state: number; readonly length: number; readonly step: Step & { op: 'string' } } | undefined {
    const step = this.#steps[state.step];
    if (step?.op !== 'string' || typeof state.local !== 'number') return undefined;
    return { state: state.local % STRING_STATES, length: Math.floor(state.local / STRING_STATES), step };
  }

  /** After the string that `state` stands in. */
  afterString(state: State): State {
    return this.#enter(state.step + 1, state.counts, state.slots);
  }

  /** Every byte that may come next. */
  bytes(state: State): number[] {
    const step = this.#steps[state.step];
    if (step === undefined) return [];
    if (step.op === 'text') return [step.bytes[state.local as number] as number];
    const allowed: number[] = [];
    for (let byte = 0; byte < 256; byte++) if (this.next(state, byte)) allowed.push(byte);
    return allowed;
  }

  /** A short text that ends everything which is open; whatever has a choice takes its least. */
  finish(from: State): Uint8Array {
    const written: number[] = [];
    for (let state = from; ; ) {
      const step = this.#steps[state.step];
      if (step === undefined) return Uint8Array.from(written);
      const bytes = this.#endOf(step, state);
      if (bytes.length === 0) state = this.#mayEnd(step, state) ? this.#leave(step, state) : this.#skip(step, state);
      for (const byte of bytes) {
        const next = this.next(state, byte);
        if (next === undefined) throw new Error('The end of a text does not follow it.');
        state = next;
      }
      written.push(...bytes);
    }
  }

  #enter(step: number, counts: Counts | undefined, slots: readonly number[]): State {
    const entered = this.#steps[step];
    return { step, local: entered ? initial(entered, slots) : 0, counts, slots };
  }

  /** What a byte does to the current step; `consumed` is false when the byte is to be tried again in the state that is given. */
  #take(step: Step, state: State, byte: number): { state: State; consumed: boolean } | undefined {
    const { local, counts, slots } = state;
    switch (step.op) {
      case 'text': {
        const at = local as number;
        if (step.bytes[at] !== byte) return undefined;
        return consumed(
          at + 1 === step.bytes.length ? this.#enter(state.step + 1, counts, slots) : { ...state, local: at + 1 },
        );
      }
      case 'options': {
        const node = (local as OptionNode).next.get(byte);
        if (node === undefined) return undefined;
        return consumed(node.next.size === 0 ? this.#enter(state.step + 1, counts, slots) : { ...state, local: node });
      }
      case 'string': {
        const at = local as number;
        const inside = at % STRING_STATES;
        const length = Math.floor(at / STRING_STATES);
        const next = stringStep(inside, byte);
        if (next === REFUSED) return undefined;
        if (next === CLOSED) return length < step.minLength ? undefined : consumed(this.afterString(state));
        if (inside === BETWEEN && length === step.maxLength) return undefined;
        return consumed({ ...state, local: next + STRING_STATES * (inside === BETWEEN ? length + 1 : length) });
      }
      case 'number': {
        const prefix = withByte(local as NumberPrefix, byte);
        if (prefix === undefined) return undefined;
        const longer = { ...state, local: prefix };
        return consumed(isFull(prefix) ? this.#leave(step, longer) : longer);
      }
      case 'open':
        if (byte === CLOSE) return step.minItems > 0 ? undefined : consumed(this.#enter(step.end, counts, slots));
        return step.maxItems === 0 ? undefined : again(this.#skip(step, state));
      case 'more': {
        const at = local as number;
        const { items, outer } = counts as Counts;
        if (at === 0 && byte === CLOSE)
          return items < step.minItems ? undefined : consumed(this.#enter(state.step + 1, outer, slots));
        if (SEPARATOR[at] !== byte || items >= step.maxItems) return undefined;
        return consumed(
          at + 1 === SEPARATOR.length
            ? this.#enter(step.body, { items: items + 1, outer }, slots)
            : { ...state, local: at + 1 },
        );
      }
      case 'null': {
        const at = local as number;
        if (NULL[at] !== byte) return at === 0 ? again(this.#skip(step, state)) : undefined;
        return consumed(at + 1 === NULL.length ? this.#enter(step.end, counts, slots) : { ...state, local: at + 1 });
      }
      default:
        return step satisfies never;
    }
  }

  /** Steps without a last byte of their own: what follows ends them. */
  #mayEnd(step: Step, { local }: State): boolean {
    switch (step.op) {
      case 'number':
        return isWhole(local as NumberPrefix);
      case 'options':
        return (local as OptionNode).ends;
      default:
        return false;
    }
  }

  #leave(step: Step, { step: index, local, counts, slots }: State): State {
    if (step.op !== 'number' || step.slot === undefined) return this.#enter(index + 1, counts, slots);
    return this.#enter(index + 1, counts, slots.with(step.slot, scaledValue(local as NumberPrefix)));
  }

  /** Into the body of an array or of what may be null. */
  #skip(step: Step, { step: index, counts, slots }: State): State {
    return this.#enter(index + 1, step.op === 'open' ? { items: 1, outer: counts } : counts, slots);
  }

  /** Bytes that end the current step; none when it may end as it stands or is entered instead. */
  #endOf(step: Step, { local, counts }: State): readonly number[] {
    switch (step.op) {
      case 'text':
        return [...step.bytes.subarray(local as number)];
      case 'options':
        return shortestOption(local as OptionNode);
      case 'string': {
        const at = local as number;
        const missing = Math.max(0, step.minLength - Math.floor(at / STRING_STATES));
        return [...characterEnd(at % STRING_STATES), ...new Array<number>(missing).fill(FILL), QUOTE];
      }
      case 'number':
        return [...shortestEnd(local as NumberPrefix)].map((character) => character.charCodeAt(0));
      case 'open':
        return step.minItems === 0 ? [CLOSE] : [];
      case 'more': {
        const at = local as number;
        return at === 0 && (counts as Counts).items >= step.minItems ? [CLOSE] : [...SEPARATOR.subarray(at)];
      }
      case 'null':
        return [...NULL.subarray(local as number)];
      default:
        return step satisfies never;
    }
  }
}

function initial(step: Step, slots: readonly number[]): State['local'] {
  if (step.op === 'options') return step.root;
  if (step.op !== 'number') return 0;
  const { decimals, lowest, highest, above } = step;
  if (!above) return emptyNumber(decimals, lowest, highest);
  const exceeded = (slots[above.slot] as number) / 10 ** above.decimals;
  return emptyNumber(decimals, Math.max(lowest, scaledAbove(exceeded, decimals)), highest);
}

function shortestOption(node: OptionNode): number[] {
  if (node.ends) return [];
  let shortest: number[] | undefined;
  for (const [byte, next] of node.next) {
    const text = [byte, ...shortestOption(next)];
    if (shortest === undefined || text.length < shortest.length) shortest = text;
  }
  return shortest ?? [];
}

function consumed(state: State): { state: State; consumed: true } {
  return { state, consumed: true };
}

function again(state: State): { state: State; consumed: false } {
  return { state, consumed: false };
}
