/** What the scripts of the servers share: the questions' pictures, and what comes of asking. */

import { picturesOf } from '../../dist/src/qwen/golden.js';
import { RemoteBackend } from '../../dist/src/remote/remote-backend.js';
import { actTask } from '../../dist/src/tasks/act.js';
import { answerTask } from '../../dist/src/tasks/answer.js';
import { captionTask } from '../../dist/src/tasks/caption.js';
import { citeTask } from '../../dist/src/tasks/cite.js';
import { describeTask } from '../../dist/src/tasks/describe.js';
import { detectBoxesTask, detectPointsTask } from '../../dist/src/tasks/detect.js';
import { eventsTask } from '../../dist/src/tasks/events.js';
import { ground } from '../../dist/src/tasks/ground.js';
import { readFormTask, readLinesTask } from '../../dist/src/tasks/read.js';
import { summarize } from '../../dist/src/tasks/summary.js';
import { runTask } from '../../dist/src/tasks/task.js';

/**
 * @typedef {{
 *   python: string, vllmPython: string, checkpoint: string, home: string, environment: NodeJS.ProcessEnv,
 *   local: import('../../dist/src/qwen/local-backend.js').LocalBackend,
 *   report: (name: string, holds: boolean, evidence: string) => void,
 * }} World
 */

/** A backend with one server. */
export function remoteBackend({ baseUrl, model, apiKey, ...others }) {
  return new RemoteBackend({ endpoints: [{ baseUrl, model, ...(apiKey ? { apiKey } : {}) }], ...others });
}

/** Half a minute into a video. */
const WINDOW = { start: 30, end: 34 };

/** Servers round otherwise. */
const SAME_PROBABILITY = 1e-3;

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

/**
 * The same probabilities as our own runtime gives.
 *
 * @param {World['report']} report @param {World['local']} local @param {import('../../dist/src/backend.js').Backend} backend
 * @param {import('../../dist/src/backend.js').BackendRequest} question
 */
export async function checkChoices(report, local, backend, question) {
  const here = (await local.ask(question)).choiceProbabilities ?? [];
  const there = (await backend.ask(question)).choiceProbabilities ?? [];
  const near = here.length > 0 && here.every((p, i) => Math.abs(p - (there[i] ?? Number.NaN)) < SAME_PROBABILITY);
  report('choices', near, `local ${here}, remote ${there}`);
}

/** Every task: understood, whatever a random model says, with its times inside the window. @param {World['report']} report @param {import('../../dist/src/backend.js').Backend} backend */
export async function checkTasks(report, backend) {
  const pictures = drawn(7, 4, { width: 84, height: 56 }).map((picture, i) => ({ ...picture, time: WINDOW.start + i }));
  const window = { range: WINDOW, pictures };
  const still = { picture: drawn(5, 1, { width: 112, height: 84 })[0], source: { width: 1120, height: 840 } };
  const form = { type: 'object', properties: { total: { type: 'number', minimum: 0, maximum: 100 } } };
  const captions = [0, 1, 2].map((i) => ({ start: 30 + i, end: 31 + i, text: `The rabbit takes step ${i}.` }));
  const texts = captions.map((caption) => ({ ...caption, kind: 'caption' }));
  /** @type {readonly [string, () => Promise<unknown>][]} */
  const tasks = [
    ['caption', () => runTask(backend, captionTask, window)],
    ['events', () => runTask(backend, eventsTask, window)],
    ['describe', () => runTask(backend, describeTask, window)],
    ['ground', () => ground(backend, { ...window, query: 'a rabbit hops' })],
    ['answer', () => runTask(backend, answerTask, { ...window, question: 'What hops?' })],
    ['boxes', () => runTask(backend, detectBoxesTask, { ...still, what: 'rabbits' })],
    ['points', () => runTask(backend, detectPointsTask, { ...still, what: 'rabbits' })],
    ['lines', () => runTask(backend, readLinesTask, still)],
    ['form', () => runTask(backend, readFormTask, { ...still, schema: form })],
    ['act', () => runTask(backend, actTask, { ...still, goal: 'Close the window.' })],
    ['summary', () => summarize(backend, { captions })],
    ['cite', () => runTask(backend, citeTask, { question: 'What does the rabbit do?', notes: texts })],
  ];
  for (const [name, run] of tasks) {
    const result = await run().catch((error) => error);
    const shown = result instanceof Error ? `${result.code}: ${result.message}` : JSON.stringify(result);
    report(`task ${name}`, !(result instanceof Error) && timesLieInside(result), shown.slice(0, 300));
  }
}

/** @param {unknown} value */
function timesLieInside(value) {
  if (typeof value !== 'object' || value === null) return true;
  if (
    'start' in value &&
    'end' in value &&
    !(WINDOW.start <= value.start && value.start < value.end && value.end <= WINDOW.end)
  )
    return false;
  return Object.values(value).every(timesLieInside);
}
