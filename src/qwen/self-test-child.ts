/** Starts the self-test's process and takes its answer. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ERROR_TABLE, type ErrorCode, LongwatchError } from '../errors.js';
import { runnableUrl } from '../thread.js';
import type { SelfTest } from './self-test.js';

/**
 * @param directory a folder with the built files; it needs no manifest
 * @throws {LongwatchError} what the test throws; `model_failed` when its process dies, which a lack of memory makes it do;
 * `cancelled`.
 */
export async function spawnSelfTest(directory: string, signal?: AbortSignal): Promise<SelfTest> {
  const script = fileURLToPath(runnableUrl(new URL('./self-test-process.js', import.meta.url), import.meta.url));
  const { output, complaint, end } = await run(script, directory, signal);
  if (signal?.aborted) throw new LongwatchError('cancelled', 'The self-test was cancelled.', { cause: signal.reason });
  const answer = parse(output);
  if (answer?.digests) return answer.digests;
  if (answer?.error) {
    const { code, message, hint } = answer.error;
    const known: ErrorCode = Object.hasOwn(ERROR_TABLE, code) ? (code as ErrorCode) : 'internal';
    throw new LongwatchError(known, message, { path: directory, ...(hint === undefined ? {} : { hint }) });
  }
  const message = `The self-test's process ended with ${end} before it answered${complaint === '' ? '.' : `: ${complaint}`}`;
  throw new LongwatchError('model_failed', message, {
    path: directory,
    hint: 'The model may need more memory than there is: build it as q4, or without a self-test for another machine.',
  });
}

/** Of what a dying process writes, enough to know why. */
const COMPLAINT_CHARACTERS = 500;

interface Run {
  readonly output: string;
  /** The end of what it wrote to stderr. */
  readonly complaint: string;
  /** Its exit code, or the signal that killed it. */
  readonly end: string;
}

function run(script: string, directory: string, signal?: AbortSignal): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, directory], { stdio: ['ignore', 'pipe', 'pipe'] });
    const stop = () => child.kill('SIGKILL');
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    let output = '';
    let complaint = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-COMPLAINT_CHARACTERS);
    });
    child.on('error', (cause) =>
      reject(new LongwatchError('internal', 'The self-test could not be started.', { cause })),
    );
    child.on('close', (code, killed) => {
      signal?.removeEventListener('abort', stop);
      resolve({ output, complaint: complaint.trim(), end: killed === null ? `code ${code}` : killed });
    });
  });
}

interface Output {
  readonly digests?: SelfTest;
  readonly error?: { readonly code: string; readonly message: string; readonly hint?: string };
}

function parse(output: string): Output | undefined {
  try {
    return JSON.parse(output) as Output;
  } catch {
    return undefined;
  }
}
