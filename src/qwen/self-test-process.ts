/**
 * Runs a built folder's self-test in a process of its own and prints the digests as one line of JSON. A model that is too large for
 * the machine then ends this process, not the one that builds it, whose memory stays small.
 */

import path from 'node:path';
import { LongwatchError } from '../errors.js';
import { readCheckpointConfig } from './checkpoint.js';
import { DECODER_FILE, VISION_FILE } from './manifest.js';
import { runSelfTest } from './self-test.js';

async function main(directory: string): Promise<string> {
  try {
    const config = await readCheckpointConfig(directory);
    const files = { vision: path.join(directory, VISION_FILE), decoder: path.join(directory, DECODER_FILE) };
    return JSON.stringify({ digests: await runSelfTest(files, config) });
  } catch (error) {
    const { code, message, hint } =
      error instanceof LongwatchError ? error : new LongwatchError('internal', String(error));
    return JSON.stringify({ error: { code, message, hint } });
  }
}

process.stdout.write(`${await main(process.argv[2] ?? '')}\n`);
