/** What the contract suite of `Library` asks of an engine: every engine passes the same facts. */

import type { Library } from '../../../index/library.js';

export interface House {
  /** A new, empty library that goes away after the test. */
  make(options?: HouseOptions): Promise<Library>;
  /** The same library as another process has it. */
  again(library: Library, options?: HouseOptions): Promise<Library>;
  /** How much of the random trials it runs, 0..1: one that is far away answers slowly. */
  readonly pace: number;
}

export interface HouseOptions {
  readonly readonly?: boolean;
  readonly graphFromRows?: number;
  /** Where the engine divides its index. */
  readonly partitionRows?: number;
}

/** The code of what `act` throws, now or later; undefined when it does not. */
export async function codeOf(act: () => unknown): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    const { code } = error as { readonly code?: string };
    return code ?? String(error);
  }
}
