/** What an assistant may do here: a name, what it is for, what it takes, and the work. */

import type { z } from '../hono.js';

export interface ToolContext {
  /** Aborts when the assistant no longer waits. */
  readonly signal: AbortSignal;
}

/** A document, or a picture with a line about it. */
export type ToolResult =
  | { readonly json: Record<string, unknown> }
  | { readonly jpeg: Uint8Array; readonly text: string };

/** Changes nothing in the library. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  /** Read by a model that chooses. */
  readonly description: string;
  readonly input: z.ZodType;
  /** @param given what `input` made of the arguments. @throws {LongwatchError} which the assistant is told */
  run(given: unknown, context: ToolContext): Promise<ToolResult>;
}

/** A tool whose work is typed by its input. */
export function tool<Input extends z.ZodType>(
  parts: Omit<Tool, 'input' | 'run'> & {
    readonly input: Input;
    run(given: z.output<Input>, context: ToolContext): Promise<ToolResult>;
  },
): Tool {
  const { input, run, ...rest } = parts;
  return { ...rest, input, run: async (given, context) => run(input.parse(given), context) };
}
