/** What a server understands of the protocol's optional parts, learnt from what it refuses. */

/**
 * How a server is told the shape of an answer, the most widely understood first.
 * - `json_schema`: OpenAI's `response_format` (vLLM, llama.cpp and most others)
 * - `structured_outputs`: vLLM's own field
 * - `guided_json`: the same field before vLLM 0.12
 * - `json_object`: `response_format` with a bare schema (early llama.cpp)
 * - `words`: the schema stands in the prompt; nothing binds the answer
 */
export const SCHEMA_FORMS = ['json_schema', 'structured_outputs', 'guided_json', 'json_object', 'words'] as const;
export type SchemaForm = (typeof SCHEMA_FORMS)[number];

export interface Dialect {
  readonly schemaForm: SchemaForm;
  /** Whether probabilities of tokens may be asked for. */
  readonly logprobs: boolean;
  /** Whether a temperature may be set. */
  readonly temperature: boolean;
  /** Name of the field that limits the answer. */
  readonly lengthField: 'max_tokens' | 'max_completion_tokens';
}

export const FIRST_DIALECT: Dialect = {
  schemaForm: 'json_schema',
  logprobs: true,
  temperature: true,
  lengthField: 'max_tokens',
};

/** Which optional parts a request makes use of. */
export interface DialectUse {
  readonly schema: boolean;
  readonly logprobs: boolean;
}

/**
 * The dialect to try after a request was refused as badly formed: without the field that the refusal names, else with the next way to
 * say the schema. Undefined when the refusal must be about something else. Repeated, it comes to an end.
 * @param refusal body of an answer with status 400, 415, 422 or 501
 */
export function nextDialect(dialect: Dialect, use: DialectUse, refusal: string): Dialect | undefined {
  if (use.logprobs && dialect.logprobs && /logprobs/i.test(refusal)) return { ...dialect, logprobs: false };
  if (dialect.lengthField === 'max_tokens' && /\bmax_completion_tokens\b/.test(refusal)) {
    return { ...dialect, lengthField: 'max_completion_tokens' };
  }
  if (dialect.temperature && /\btemperature\b/.test(refusal)) return { ...dialect, temperature: false };
  const schemaForm = SCHEMA_FORMS[SCHEMA_FORMS.indexOf(dialect.schemaForm) + 1];
  if (use.schema && schemaForm) return { ...dialect, schemaForm };
  // A server that does not say what it refuses.
  if (use.logprobs && dialect.logprobs) return { ...dialect, logprobs: false };
  return undefined;
}
