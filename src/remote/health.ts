/**
 * Whether a server is well, from two questions that cost it nothing.
 *
 * - `GET /health` (vLLM, llama.cpp): 200 is well; 5xx is not, as a vLLM whose engine died or a llama.cpp that still loads; a server that does not
 *   know the path says nothing by it.
 * - `GET /v1/models`: 200 is well, and the list names the models and, with vLLM, how many tokens one has room for. 401 and 403: the key is wrong.
 *   A server that does not know the path says nothing by it.
 *
 * No connection, no answer in time and 5xx are not well.
 */

import { isRecord } from '../json-value.js';
import { ExchangeError, type ExchangeLimits, type HttpAnswer, type HttpClient } from './exchange.js';
import type { ModelServer } from './server.js';

export interface HealthReport {
  readonly healthy: boolean;
  /** Why not, as a clause about the server: "answered 503: loading model". */
  readonly problem?: string;
  /** Whether it is the key: that does not mend itself. */
  readonly keyRefused?: true;
  /** Names of the models it has; undefined when it does not say. */
  readonly models?: readonly string[];
  /** Tokens that a question and its answer have room for together, of the model that is asked; undefined when it does not say. */
  readonly maxTokens?: number;
}

/** A server that is busy with answers still says in this time that it is. */
export const HEALTH_LIMITS: ExchangeLimits = {
  connect: 3_000,
  firstByte: 5_000,
  body: 5_000,
  answerBytes: 4 * 1024 * 1024,
};

/** @throws nothing but what the caller's signal is aborted with */
export async function checkHealth(
  client: HttpClient,
  server: ModelServer,
  model: string,
  signal: AbortSignal,
): Promise<HealthReport> {
  try {
    const health = await client.get(server.healthUrl, server.headers(), HEALTH_LIMITS, signal);
    if (health.status >= 500 && health.status !== 501) return { healthy: false, problem: said(server, health) };
    const list = await client.get(server.modelsUrl, server.headers(), HEALTH_LIMITS, signal);
    if (list.status === 401 || list.status === 403)
      return { healthy: false, problem: said(server, list), keyRefused: true };
    if (list.status >= 500 && list.status !== 501) return { healthy: false, problem: said(server, list) };
    return { healthy: true, ...(list.status === 200 ? modelsOf(list.body, model) : {}) };
  } catch (thrown) {
    if (signal.aborted || !(thrown instanceof ExchangeError)) throw thrown;
    return { healthy: false, problem: thrown.message };
  }
}

function said(server: ModelServer, { status, body }: HttpAnswer): string {
  const words = server.quote(body);
  return `answered ${status}${words === '' ? '' : `: ${words}`}`;
}

function modelsOf(body: string, model: string): Pick<HealthReport, 'models' | 'maxTokens'> {
  let list: unknown;
  try {
    list = JSON.parse(body);
  } catch {
    return {};
  }
  const data = isRecord(list) && Array.isArray(list['data']) ? list['data'].filter(isRecord) : [];
  const models = data.flatMap(({ id }) => (typeof id === 'string' ? [id] : []));
  const asked = data.find(({ id }) => id === model) ?? (data.length === 1 ? data[0] : undefined);
  const room = asked?.['max_model_len'];
  const known = typeof room === 'number' && Number.isSafeInteger(room) && room > 0;
  return { models, ...(known ? { maxTokens: room } : {}) };
}
