/** A schema as a short program over bytes. Running it is the matcher's business. */

import type { Rule } from './schema.js';

/** A node of a tree of texts: which byte leads where, and whether a text ends here. */
export interface OptionNode {
  readonly next: ReadonlyMap<number, OptionNode>;
  readonly ends: boolean;
}

export type Step =
  /** Exactly these bytes. */
  | { readonly op: 'text'; readonly bytes: Uint8Array }
  /** One of several texts. */
  | { readonly op: 'options'; readonly root: OptionNode }
  /** The inside of a string and its closing quote. */
  | { readonly op: 'string'; readonly minLength: number; readonly maxLength: number }
  | {
      readonly op: 'number';
      readonly decimals: number;
      readonly lowest: number;
      readonly highest: number;
      /** Where the value is kept for a greater number. */
      readonly slot: number | undefined;
      /** The number that this one must exceed. */
      readonly above: { readonly slot: number; readonly decimals: number } | undefined;
    }
  /** After `[`: the first item, which begins at the next step, or `]`, after which `end` goes on. */
  | { readonly op: 'open'; readonly minItems: number; readonly maxItems: number; readonly end: number }
  /** After an item: `, ` and back to `body`, or `]`. */
  | { readonly op: 'more'; readonly minItems: number; readonly maxItems: number; readonly body: number }
  /** `null`, after which `end` goes on, or what begins at the next step. */
  | { readonly op: 'null'; readonly end: number };

export interface Program {
  readonly steps: readonly Step[];
  readonly slots: number;
}

/** Between items and between a key and its value, as Python's `json.dumps` and so most training text writes them. */
export const ITEM_SEPARATOR = ', ';
const KEY_SEPARATOR = ': ';

export function compileRule(rule: Rule): Program {
  const compiler = new Compiler();
  compiler.emit(rule, new Map(), undefined);
  return { steps: compiler.steps, slots: compiler.slots };
}

type Open<T> = { -readonly [K in keyof T]: T[K] };

class Compiler {
  readonly steps: Step[] = [];
  slots = 0;
  /** A step that something jumps to: a text must not grow into the step before it. */
  #label = 0;

  /** @param siblings numbers of the same object that a greater one refers to @param slot where a number keeps its value */
  emit(rule: Rule, siblings: ReadonlyMap<string, { slot: number; decimals: number }>, slot: number | undefined): void {
    switch (rule.kind) {
      case 'object':
        this.#object(rule);
        break;
      case 'array': {
        this.#text('[');
        const open: Open<Step & { op: 'open' }> = {
          op: 'open',
          minItems: rule.minItems,
          maxItems: rule.maxItems,
          end: 0,
        };
        const body = this.#push(open) + 1;
        this.#label = body;
        this.emit(rule.items, new Map(), undefined);
        open.end = this.#push({ op: 'more', minItems: rule.minItems, maxItems: rule.maxItems, body }) + 1;
        this.#label = open.end;
        break;
      }
      case 'string':
        this.#text('"');
        this.#push({ op: 'string', minLength: rule.minLength, maxLength: rule.maxLength });
        break;
      case 'number':
        this.#push({
          op: 'number',
          decimals: rule.decimals,
          lowest: rule.lowest,
          highest: rule.highest,
          slot,
          above: rule.greaterThan === undefined ? undefined : siblings.get(rule.greaterThan),
        });
        break;
      case 'options':
        if (rule.texts.length === 1) this.#text(rule.texts[0] as string);
        else this.#push({ op: 'options', root: optionTree(rule.texts.map((text) => utf8(text))) });
        break;
      case 'nullable': {
        const choice: Open<Step & { op: 'null' }> = { op: 'null', end: 0 };
        this.#label = this.#push(choice) + 1;
        this.emit(rule.rule, siblings, slot);
        choice.end = this.steps.length;
        this.#label = choice.end;
        break;
      }
      default:
        rule satisfies never;
    }
  }

  #object({ fields }: Rule & { kind: 'object' }): void {
    const wanted = new Set(fields.flatMap(({ rule }) => (rule.kind === 'number' ? (rule.greaterThan ?? []) : [])));
    const siblings = new Map<string, { slot: number; decimals: number }>();
    this.#text('{');
    fields.forEach(({ key, rule }, i) => {
      this.#text(`${i === 0 ? '' : ITEM_SEPARATOR}${JSON.stringify(key)}${KEY_SEPARATOR}`);
      const slot = wanted.has(key) && rule.kind === 'number' ? this.slots++ : undefined;
      this.emit(rule, siblings, slot);
      if (slot !== undefined && rule.kind === 'number') siblings.set(key, { slot, decimals: rule.decimals });
    });
    this.#text('}');
  }

  #text(text: string): void {
    const bytes = utf8(text);
    const last = this.steps.at(-1);
    if (last?.op === 'text' && this.#label < this.steps.length)
      this.steps[this.steps.length - 1] = { op: 'text', bytes: Uint8Array.from([...last.bytes, ...bytes]) };
    else this.#push({ op: 'text', bytes });
  }

  #push(step: Step): number {
    return this.steps.push(step) - 1;
  }
}

function optionTree(texts: readonly Uint8Array[], depth = 0): OptionNode {
  const groups = new Map<number, Uint8Array[]>();
  for (const text of texts) {
    const byte = text[depth];
    if (byte !== undefined) groups.set(byte, [...(groups.get(byte) ?? []), text]);
  }
  return {
    next: new Map([...groups].map(([byte, group]) => [byte, optionTree(group, depth + 1)])),
    ends: texts.some((text) => text.length === depth),
  };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
