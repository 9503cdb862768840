/** What the scripts of the servers share: the questions' pictures, and what comes of asking. */

import { picturesOf } from '../../dist/src/qwen/golden.js';

/**
 * @typedef {{
 *   python: string, checkpoint: string, home: string, environment: NodeJS.ProcessEnv,
 *   local: import('../../dist/src/qwen/local-backend.js').LocalBackend,
 *   report: (name: string, holds: boolean, evidence: string) => void,
 * }} World
 */

/** Two attempts without a pause between them. */
export const WAITING = { waiting: { sleep: async () => {} }, retry: { attempts: 2 } };

/** Pictures by the formula of fixtures/golden. @param {number} seed @param {number} frames @param {{ width: number, height: number }} size */
export function drawn(seed, frames, { width, height }) {
  return picturesOf({ kind: 'video', seed, frames, width, height, times: [], pairs: 0, rows: 0, columns: 0 });
}

/** @param {Promise<{ text: string }>} asking @returns {Promise<string>} */
export async function outcome(asking) {
  try {
    return `answer ${JSON.stringify((await asking).text)}`;
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}
