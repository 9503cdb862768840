/** A conversation with one server: a question in the dialect that it understands, and what can be taken of its answer. */

import type { BackendAnswer, BackendRequest, JsonSchema } from '../backend.js';
import type { LongwatchError } from '../errors.js';
import type { Milliseconds } from '../time.js';
import { type ChatAnswer, chatRequest, choiceProbabilities, readChatAnswer, statusOf } from './chat.js';
import { type Dialect, FIRST_DIALECT, nextDialect, type SchemaForm } from './dialect.js';
import { ExchangeError, type ExchangeLimits, type HttpAnswer, type HttpClient } from './exchange.js';
import { isVideo, type MessageContent } from './frames.js';
import { checkHealth, type HealthReport } from './health.js';
import { closings, conforms, findJson } from './json-answer.js';
import { parseRetryAfter, TransientFailure } from './retry.js';
import { ModelServer } from './server.js';

/** One of the servers that a question may go to. */
export interface EndpointOptions {
  /** `http://host:8000` or `https://host/v1`. A user name, a password or a key has no place in it. */
  readonly baseUrl: string;
  /** The model's name as this server knows it. */
  readonly model: string;
  /** Sent as a bearer token to the origin of `baseUrl` and nowhere else; in no message. @default none */
  readonly apiKey?: string;
  /** Questions that this server is asked at once; others wait. @default 4 */
  readonly concurrency?: number;
}

/** What all servers are asked alike with. */
export interface ConversationOptions {
  readonly limits: ExchangeLimits;
  /** Fields put into every request over all others. */
  readonly extraFields: Readonly<Record<string, unknown>>;
  readonly now: () => Milliseconds;
}

/** A question, its pictures ready to be sent. */
export interface Question {
  readonly request: BackendRequest;
  readonly content: MessageContent;
}

/** What changes from one attempt at a question to the next on the same server. */
export interface Progress {
  dialect: Dialect;
  maxTokens: number;
  temperature: number;
  /** The server's first refusal; later ones are about forms that it was never asked in first. */
  refusal: LongwatchError | undefined;
}

const DEFAULT_CONCURRENCY = 4;
/** Of a question that is asked again because its answer was of no use: at 0 the same words would come back. */
const OTHER_WORDS_TEMPERATURE = 0.5;
const MAX_REDIRECTS = 3;

export class Endpoint {
  readonly model: string;
  readonly concurrency: number;
  readonly #server: ModelServer;
  readonly #client: HttpClient;
  readonly #options: ConversationOptions;
  /** What the server was last seen to understand. */
  #dialect = FIRST_DIALECT;
  /** Whether an answer had the shape of a schema that was not asked for in words. */
  #bound = false;

  /** Opens no connection. @throws {LongwatchError} `bad_config` */
  constructor(
    { baseUrl, model, apiKey, concurrency }: EndpointOptions,
    client: HttpClient,
    options: ConversationOptions,
  ) {
    this.#server = new ModelServer(baseUrl, apiKey);
    this.model = model;
    this.concurrency = concurrency ?? DEFAULT_CONCURRENCY;
    this.#client = client;
    this.#options = options;
  }

  /** Its address as it is shown. */
  get name(): string {
    return this.#server.name;
  }

  /** How the first attempt at a question begins. */
  begin({ maxTokens }: BackendRequest): Progress {
    return { dialect: this.#dialect, maxTokens, temperature: 0, refusal: undefined };
  }

  checkHealth(signal: AbortSignal): Promise<HealthReport> {
    return checkHealth(this.#client, this.#server, this.model, signal);
  }

  failed(message: string, hint: string, cause?: unknown): LongwatchError {
    return this.#server.failed(message, hint, cause);
  }

  /**
   * Asks until the server understands, and takes what can be taken of its answer.
   * @param progress is changed for the next attempt
   * @throws {TransientFailure | LongwatchError}
   */
  async ask({ request, content }: Question, progress: Progress, signal: AbortSignal): Promise<BackendAnswer> {
    const { schema, choices } = request;
    const logprobs = choices !== undefined && choices.length > 0;
    for (;;) {
      const { dialect, maxTokens, temperature } = progress;
      const { model } = this;
      const extra = this.#options.extraFields;
      const question = { model, system: request.system, content, schema, maxTokens, temperature, logprobs, extra };
      const reply = await this.#post(chatRequest(question, dialect), signal);
      const status = statusOf(reply);
      if (status !== 200) {
        const retryAfter = parseRetryAfter(reply.headers['retry-after'], this.#options.now());
        const judgement = this.#server.judge({ ...reply, status }, retryAfter, {
          schema: schema !== undefined,
          video: isVideo(content),
          model,
        });
        if ('throw' in judgement) throw judgement.throw;
        if ('unreadable' in judgement) {
          progress.temperature = OTHER_WORDS_TEMPERATURE;
          throw new TransientFailure(judgement.unreadable, { about: 'answer' });
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
          this.failed(`gave an answer of another form: ${this.#server.quote(answer.text)}`, hint),
          { about: 'answer' },
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
    try {
      let url = this.#server.url;
      for (let redirects = 0; ; redirects++) {
        const answer = await this.#client.post(url, this.#server.headers(), bytes, this.#options.limits, signal);
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
      throw this.failed(`gave no answer: ${answer.why}.`, 'Ask in other words, or another model.');
    }
    const type = reply.headers['content-type'] ?? 'no content type';
    const said = this.#server.quote(reply.body);
    throw new TransientFailure(
      this.failed(
        `did not answer properly: ${answer.why} (${this.#server.quote(type)}): ${said}`,
        'Is this a chat completions server? Check the base URL.',
      ),
    );
  }

  #cutTwice(maxTokens: number): LongwatchError {
    return this.failed(
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
