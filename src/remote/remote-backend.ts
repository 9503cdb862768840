/** A model that a server runs: any that speaks OpenAI's chat completions and takes images (vLLM, `transformers serve`, llama.cpp). */

import PQueue from 'p-queue';
import type { Backend, BackendAnswer, BackendRequest, JsonSchema } from '../backend.js';
import { LongwatchError } from '../errors.js';
import { type PictureSize, smartResize } from '../qwen/smart-resize.js';
import type { Milliseconds } from '../time.js';
import {
  type ChatAnswer,
  type ChatQuestion,
  chatRequest,
  choiceProbabilities,
  readChatAnswer,
  statusOf,
} from './chat.js';
import { type Dialect, FIRST_DIALECT, nextDialect, type SchemaForm } from './dialect.js';
import {
  DEFAULT_EXCHANGE_LIMITS,
  ExchangeError,
  type ExchangeLimits,
  type HttpAnswer,
  HttpClient,
} from './exchange.js';
import { type FrameForm, isVideo, messageContent, type PictureForm } from './frames.js';
import { closings, conforms, findJson } from './json-answer.js';
import {
  DEFAULT_RETRY_POLICY,
  parseRetryAfter,
  REAL_WAITING,
  type RetryPolicy,
  TransientFailure,
  type Waiting,
  withRetries,
} from './retry.js';
import { ModelServer } from './server.js';

export interface RemoteBackendOptions {
  /** `http://host:8000` or `https://host/v1`. A user name, a password or a key has no place in it. */
  readonly baseUrl: string;
  /** The model's name as the server knows it. */
  readonly model: string;
  /** Sent as a bearer token to the origin of `baseUrl` and nowhere else; in no message. @default none */
  readonly apiKey?: string;
  /** What is stored beside everything the model says. @default the model's name */
  readonly id?: string;
  /** How frames travel; `video` is for vLLM. @default images */
  readonly frames?: FrameForm;
  /** As which files the pictures of a video travel. @default smallest */
  readonly pictures?: PictureForm;
  /**
   * Visual tokens of one frame, least and most; sizes are chosen within them. As an image each frame costs its tokens, as a video each
   * pair does. @default 128 and 768, as the model family's own tools
   */
  readonly tokensPerFrame?: { readonly min: number; readonly max: number };
  /** Questions that the server is asked at once; others wait. @default 4 */
  readonly concurrency?: number;
  readonly limits?: Partial<
    ExchangeLimits & { /** A question with all its repetitions. @default 30 min */ readonly total: Milliseconds }
  >;
  readonly retry?: Partial<RetryPolicy>;
  /** Fields put into every request over all others, such as `{ repetition_penalty: 1 }` for vLLM. @default none */
  readonly extraFields?: Readonly<Record<string, unknown>>;
  /** Clock, chance and sleep. @default the real ones */
  readonly waiting?: Partial<Waiting>;
}

const DEFAULT_TOTAL: Milliseconds = 1_800_000;
const DEFAULT_CONCURRENCY = 4;
const DEFAULT_TOKENS_PER_FRAME = { min: 128, max: 768 };
/** Side in pixels of what becomes one visual token: 2 × 2 patches of 14 pixels. */
const TOKEN_SIDE = 28;
/** Of a question that is asked again because its answer was of no use: at 0 the same words would come back. */
const OTHER_WORDS_TEMPERATURE = 0.5;
const MAX_REDIRECTS = 3;

/** What changes from one attempt at a question to the next. */
interface Progress {
  dialect: Dialect;
  maxTokens: number;
  temperature: number;
  /** The server's first refusal; later ones are about forms that it was never asked in first. */
  refusal: LongwatchError | undefined;
}

export class RemoteBackend implements Backend {
  readonly id: string;
  readonly #options: RemoteBackendOptions;
  readonly #server: ModelServer;
  readonly #client = new HttpClient();
  readonly #places: PQueue;
  /** How to cancel each question that is being asked. */
  readonly #open = new Set<() => void>();
  #closed = false;
  readonly #waiting: Waiting;
  /** What the server was last seen to understand. */
  #dialect = FIRST_DIALECT;
  /** Whether an answer had the shape of a schema that was not asked for in words. */
  #bound = false;

  /** Opens no connection. @throws {LongwatchError} `bad_config` */
  constructor(options: RemoteBackendOptions) {
    this.#options = options;
    this.#server = new ModelServer(options.baseUrl, options.apiKey);
    this.id = options.id ?? options.model;
    this.#places = new PQueue({ concurrency: options.concurrency ?? DEFAULT_CONCURRENCY });
    this.#waiting = { ...REAL_WAITING, ...options.waiting };
  }

  pictureSize(display: PictureSize): PictureSize {
    const { min, max } = this.#options.tokensPerFrame ?? DEFAULT_TOKENS_PER_FRAME;
    const area = TOKEN_SIDE ** 2;
    return smartResize(display, { factor: TOKEN_SIDE, minPixels: min * area, maxPixels: max * area });
  }

  tokensPerPair({ width, height }: PictureSize): number {
    const tokens = Math.ceil(width / TOKEN_SIDE) * Math.ceil(height / TOKEN_SIDE);
    return this.#options.frames === 'video' ? tokens : 2 * tokens;
  }

  /**
   * Beside what `Backend` says: `bad_config` for a wrong address, key or model name, which no repetition mends.
   *
   * With a schema the answer is JSON of its shape; bounds of numbers and lengths are as the server kept them. One that was cut off is
   * closed where that gives the shape, else it is asked for once more with twice the room. From a server that binds answers to no schema,
   * it is whatever JSON the model wrote.
   */
  async ask(request: BackendRequest, signal?: AbortSignal): Promise<BackendAnswer> {
    const halt = new AbortController();
    const cancel = () => halt.abort(new LongwatchError('cancelled', 'Cancelled.', { cause: signal?.reason }));
    this.#open.add(cancel);
    signal?.addEventListener('abort', cancel, { once: true });
    if (this.#closed || signal?.aborted) cancel();
    try {
      return await this.#places.add(() => this.#ask(request, halt), { signal: halt.signal });
    } catch (thrown) {
      throw halt.signal.aborted ? halt.signal.reason : thrown;
    } finally {
      this.#open.delete(cancel);
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Questions that are being asked, or are asked from now on, are cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#open) cancel();
    this.#client.close();
  }

  /** @param halt aborted with the error to report, here when the total time is over */
  async #ask(request: BackendRequest, halt: AbortController): Promise<BackendAnswer> {
    const total = this.#options.limits?.total ?? DEFAULT_TOTAL;
    let last: TransientFailure | undefined;
    const timer = setTimeout(() => halt.abort(this.#overdue(total, last)), total);
    const progress: Progress = {
      dialect: this.#dialect,
      maxTokens: request.maxTokens,
      temperature: 0,
      refusal: undefined,
    };
    try {
      const { frames = 'images', pictures = 'smallest' } = this.#options;
      const content = await messageContent(request.parts, frames, pictures);
      const policy = { ...DEFAULT_RETRY_POLICY, ...this.#options.retry };
      const attempt = async () => {
        try {
          return await this.#attempt(request, content, progress, halt.signal);
        } catch (thrown) {
          if (thrown instanceof TransientFailure) last = thrown;
          throw thrown;
        }
      };
      return await withRetries(attempt, policy, this.#waiting, halt.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #overdue(total: Milliseconds, last: TransientFailure | undefined): LongwatchError {
    const before = last === undefined ? '' : ` Before that: ${last.error.message}`;
    const message = `had no answer within ${total / 1000} s, all repetitions together.${before}`;
    return this.#server.failed(message, 'Ask less at once, or raise the time limits.', last?.error);
  }

  /** Asks until the server understands, and takes what can be taken of its answer. */
  async #attempt(
    request: BackendRequest,
    content: ChatQuestion['content'],
    progress: Progress,
    signal: AbortSignal,
  ): Promise<BackendAnswer> {
    const { schema, choices } = request;
    const logprobs = choices !== undefined && choices.length > 0;
    for (;;) {
      const { dialect, maxTokens, temperature } = progress;
      const extra = this.#options.extraFields ?? {};
      const { model } = this.#options;
      const question = { model, system: request.system, content, schema, maxTokens, temperature, logprobs, extra };
      const reply = await this.#post(chatRequest(question, dialect), signal);
      const status = statusOf(reply);
      if (status !== 200) {
        const retryAfter = parseRetryAfter(reply.headers['retry-after'], this.#waiting.now());
        const judgement = this.#server.judge({ ...reply, status }, retryAfter, {
          schema: schema !== undefined,
          video: isVideo(content),
          model,
        });
        if ('throw' in judgement) throw judgement.throw;
        if ('unreadable' in judgement) {
          progress.temperature = OTHER_WORDS_TEMPERATURE;
          throw new TransientFailure(judgement.unreadable);
        }
        progress.refusal ??= judgement.notUnderstood;
        const next = nextDialect(dialect, { schema: schema !== undefined, logprobs }, reply.body);
        if (!next) throw progress.refusal;
        progress.dialect = next;
        continue;
      }
      const answer = this.#read(reply);
      const text = schema === undefined ? answer.text : jsonOf(answer, schema, dialect.schemaForm);
      if (text !== undefined) {
        this.#remember(dialect, schema !== undefined);
        return toBackendAnswer(answer, text, choices);
      }
      if (answer.cut) {
        if (maxTokens > request.maxTokens) throw this.#cutTwice(maxTokens);
        progress.maxTokens = 2 * maxTokens;
      } else if (dialect.schemaForm !== 'words') {
        // The server took the schema and did not keep to it: it will not keep to it in another field either.
        progress.dialect = { ...dialect, schemaForm: 'words' };
      } else {
        progress.temperature = OTHER_WORDS_TEMPERATURE;
        const hint =
          'The server does not bind answers to a schema and the model does not keep to it by itself. Use vLLM or llama.cpp.';
        throw new TransientFailure(
          this.#server.failed(`gave an answer of another form: ${this.#server.quote(answer.text)}`, hint),
        );
      }
    }
  }

  /**
   * What was just understood is how the next question begins. A form of schema that has once bound an answer is kept, even when a
   * later schema has to be asked for in another one.
   */
  #remember(dialect: Dialect, bySchema: boolean): void {
    const kept = bySchema && !this.#bound ? dialect.schemaForm : this.#dialect.schemaForm;
    this.#dialect = { ...dialect, schemaForm: kept };
    if (bySchema && dialect.schemaForm !== 'words') this.#bound = true;
  }

  /** Sends a question, and follows redirects within the server. @throws {TransientFailure | LongwatchError} */
  async #post(body: Record<string, unknown>, signal: AbortSignal): Promise<HttpAnswer> {
    const bytes = Buffer.from(JSON.stringify(body));
    const limits = { ...DEFAULT_EXCHANGE_LIMITS, ...this.#options.limits };
    try {
      let url = this.#server.url;
      for (let redirects = 0; ; redirects++) {
        const answer = await this.#client.post(url, this.#server.headers(), bytes, limits, signal);
        const target = this.#server.redirectOf(answer, url);
        if (!target || redirects === MAX_REDIRECTS) return answer;
        url = target;
      }
    } catch (thrown) {
      throw thrown instanceof ExchangeError ? this.#server.noAnswer(thrown) : thrown;
    }
  }

  #read(reply: HttpAnswer): ChatAnswer {
    const answer = readChatAnswer(reply.body);
    if (!('kind' in answer)) return answer;
    if (answer.kind === 'declined') {
      throw this.#server.failed(`gave no answer: ${answer.why}.`, 'Ask in other words, or another model.');
    }
    const type = reply.headers['content-type'] ?? 'no content type';
    const said = this.#server.quote(reply.body);
    throw new TransientFailure(
      this.#server.failed(
        `did not answer properly: ${answer.why} (${this.#server.quote(type)}): ${said}`,
        'Is this a chat completions server? Check the base URL.',
      ),
    );
  }

  #cutTwice(maxTokens: number): LongwatchError {
    return this.#server.failed(
      `could not finish an answer within ${maxTokens} tokens.`,
      'Allow more tokens, or ask for less: shorter windows, shorter texts.',
    );
  }
}

/**
 * The answer as JSON, if it has the shape of the schema. Nothing binds an answer to a schema that was asked for in words; there any JSON
 * is an answer, and what it is worth is for the asker to say.
 */
function jsonOf({ text, cut }: ChatAnswer, schema: JsonSchema, form: SchemaForm): string | undefined {
  const whole = findJson(text);
  if (whole !== undefined && (form === 'words' || conforms(whole, schema))) return JSON.stringify(whole);
  if (whole !== undefined || !cut) return undefined;
  for (const closed of closings(text)) if (conforms(closed, schema)) return JSON.stringify(closed);
  return undefined;
}

function toBackendAnswer(answer: ChatAnswer, text: string, choices: readonly string[] | undefined): BackendAnswer {
  const probabilities = choices && answer.first ? choiceProbabilities(answer.first, choices) : undefined;
  return {
    text,
    finish: answer.cut ? 'length' : 'stop',
    promptTokens: answer.promptTokens,
    answerTokens: answer.answerTokens,
    ...(probabilities === undefined ? {} : { choiceProbabilities: probabilities }),
  };
}
