/** What the tasks ask of a vision-language model, wherever it runs: pictures and words in, words out. */

import type { Picture } from '../ingest/video/frame.js';
import type { Seconds } from './time.js';

/** JSON Schema (2020-12), the part that constrained decoding understands: see `src/tasks/schema.ts`. */
export type JsonSchema = { readonly [key: string]: unknown };

/** One part of a prompt, in reading order. */
export type PromptPart =
  | { readonly kind: 'text'; readonly text: string }
  /** Frames of one stretch of video, in presentation order, an even number. `timeZero` is what the words of the prompt call second 0. */
  | { readonly kind: 'video'; readonly pictures: readonly Picture[]; readonly timeZero: Seconds }
  | { readonly kind: 'image'; readonly picture: Picture };

export interface BackendRequest {
  readonly system?: string;
  readonly parts: readonly PromptPart[];
  /** The answer is JSON of this schema; without one it is free text. */
  readonly schema?: JsonSchema;
  /** Most tokens of the answer. A schema-bound answer is finished within them, never cut. */
  readonly maxTokens: number;
  /** Also how probable each of these answers is as the next token, e.g. `['yes', 'no']` for a score. */
  readonly choices?: readonly string[];
}

export interface BackendAnswer {
  /** With a schema: text that parses. */
  readonly text: string;
  /** `length`: free text was cut at `maxTokens`. */
  readonly finish: 'stop' | 'length';
  /** Probability of each of `choices`, summing to 1 over them; undefined where the backend cannot tell. */
  readonly choiceProbabilities?: readonly number[];
  readonly promptTokens: number;
  readonly answerTokens: number;
}

/**
 * A model that can be asked. Implementations: the local runtime (`src/qwen/local-backend.ts`) and any OpenAI-compatible server
 * (`src/remote/remote-backend.ts`). One contract suite holds for both.
 */
export interface Backend {
  /** Stable id stored beside everything that it says. */
  readonly id: string;
  /** Pixel size at which pictures of a source of this display size are wanted. Both sides are multiples of the model's patch. */
  pictureSize(display: { readonly width: number; readonly height: number }): {
    readonly width: number;
    readonly height: number;
  };
  /** Frames a second at which movement should be shown, where the model was trained with such; see `PlannerOptions.movingRate`. */
  readonly frameRate?: number | undefined;
  /**
   * Seconds from one of the model's positions in time to the next, where they are known: what is nearer than that has one time for it.
   * @default `POSITION_STEP` of `src/tasks/window-time.ts`
   */
  readonly positionStep?: Seconds | undefined;
  /** Visual tokens of one pair of frames at that size. */
  tokensPerPair(size: { readonly width: number; readonly height: number }): number;
  /** How many requests are answered at once where other machines do it; undefined for a model of this process, which does one after the other. */
  readonly concurrency?: number | undefined;
  /**
   * @throws {LongwatchError} `bad_config` (a server's address, key or model name is wrong: no retry helps), `invalid_input` (a picture that is
   * none), `model_failed` (it died, or its server did not answer properly after retries), `part_missing`, `overloaded`
   * (too large for this machine or this server, with advice), `cancelled`. Where the same request with less in it may be answered, the
   * error's `retry` is `smaller`. Nothing is half done.
   */
  ask(request: BackendRequest, signal?: AbortSignal): Promise<BackendAnswer>;
  close(): Promise<void>;
}
