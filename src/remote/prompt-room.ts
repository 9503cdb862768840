/** Whether a question fits into what the servers have room for. */

import { LongwatchError } from '../errors.js';
import type { PoolMember } from './pool-member.js';
import type { PromptParts } from './prompt-size.js';

/** Whether a prompt fits, with its answer, into what a server has room for, as far as both are known. */
export function hasRoom({ maxTokens, size }: PoolMember, parts: PromptParts, answerTokens: number): boolean {
  const prompt = size.estimate(parts);
  return maxTokens === undefined || prompt === undefined || prompt + answerTokens <= maxTokens;
}

/** That no server has room for a question. */
export function tooLong(members: readonly PoolMember[], parts: PromptParts, answerTokens: number): LongwatchError {
  const room = Math.max(...members.map(({ maxTokens = 0 }) => maxTokens));
  const prompt = Math.min(...members.map(({ size }) => size.estimate(parts) ?? Number.POSITIVE_INFINITY));
  return new LongwatchError(
    'overloaded',
    `A question of about ${prompt} tokens with an answer of up to ${answerTokens} does not fit into the ${room} tokens of the model server.`,
    {
      hint: 'Ask with fewer or smaller frames, or start the server with more room (vLLM: --max-model-len).',
      retry: 'smaller',
    },
  );
}
