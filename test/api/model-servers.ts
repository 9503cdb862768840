/** Two model servers, one of which is in trouble. */

import type { ServerStatus } from '../../src/remote/pool-member.js';

const WELL: ServerStatus = {
  url: 'http://a/v1/chat/completions',
  model: 'qwen',
  circuit: 'closed',
  healthy: true,
  resting: false,
  concurrency: 4,
  inFlight: 2,
  maxTokens: 8192,
  answers: 3,
  failures: 0,
  hedges: 1,
  hedgesWon: 1,
  promptTokens: 3000,
  answerTokens: 90,
  latency: { counts: [0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0], sum: 4_700 },
};

export const SERVERS: readonly ServerStatus[] = [
  WELL,
  { ...WELL, url: 'http://b/v1/chat/completions', circuit: 'open', problem: 'It hung up.', failures: 5, inFlight: 0 },
];
