/**
 * llama.cpp's server: what it takes to start it, and its manners. It binds answers to schemas and tells probabilities; it takes any name
 * for its model.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
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
import { drawn, outcome, WAITING } from './asking.js';
import { startServer } from './server.js';

/** @typedef {import('./asking.js').World} World */

const KEY = 'sk-interop';
/** Tokens that a question and its answer may have together. */
const CONTEXT = 4096;
/** Half a minute into a video. */
const WINDOW = { start: 30, end: 34 };

/** @param {World} world */
export async function start({ python, checkpoint, home, environment }) {
  const script = fileURLToPath(new URL('llama_server.py', import.meta.url));
  const { url, stop } = await startServer(
    python,
    (port) => [script, checkpoint, home].concat(['--port', String(port), '--context', String(CONTEXT), '--key', KEY]),
    { cwd: home, env: environment },
  );
  // The checkpoint's own penalty of 1.05 on what was said before: transformers keeps it by itself.
  const extraFields = { repeat_penalty: 1.05, repeat_last_n: CONTEXT };
  return { stop, options: { baseUrl: url, model: path.basename(checkpoint), apiKey: KEY, extraFields } };
}

/** Words by which llama.cpp knows tokens that have no text, whatever a checkpoint says of them. @param {string} text */
export function withoutControl(text) {
  return text.replace(/<\|(fim_\w+|repo_name|file_sep)\|>/g, '');
}

/** @param {World} world @param {{ baseUrl: string, model: string, apiKey: string }} options */
export async function checkManners({ checkpoint, local, report }, { baseUrl, model, apiKey }) {
  const patient = { baseUrl, model, apiKey, ...WAITING };
  const question = { parts: [{ kind: 'text', text: 'When does the rabbit wake up?' }], maxTokens: 4 };
  const backend = new RemoteBackend(patient);

  for (const form of ['/v1', '/v1/', '/v1/chat/completions']) {
    const { text } = await new RemoteBackend({ ...patient, baseUrl: baseUrl + form }).ask(question);
    report(`base URL with ${form}`, text !== '', JSON.stringify(text));
  }
  // Of the twenty likeliest first words, so that both sides know them.
  const choices = ['O', 'Y', 'n'];
  const here = await local.ask({ ...question, maxTokens: 1, choices });
  const there = await backend.ask({ ...question, maxTokens: 1, choices });
  const apart = here.choiceProbabilities.map((p, i) => Math.abs(p - (there.choiceProbabilities?.[i] ?? Number.NaN)));
  report(
    'choices',
    apart.every((difference) => difference < 1e-4),
    `local ${here.choiceProbabilities}, remote ${there.choiceProbabilities}`,
  );
  const cut = await backend.ask({ ...question, maxTokens: 3 });
  report('an answer that is cut', cut.finish === 'length' && cut.answerTokens === 3, JSON.stringify(cut));
  const extraFields = { logit_bias: bytesThatAreNoText(checkpoint).map((token) => [token, false]) };
  await checkTasks(report, new RemoteBackend({ ...patient, extraFields }));

  const long = { parts: [{ kind: 'text', text: 'When? '.repeat(CONTEXT) }], maxTokens: 4 };
  const tooLong = await outcome(backend.ask(long));
  report('a question that is too long', tooLong.startsWith('overloaded'), tooLong);
  const pictures = drawn(1, 2, { width: 56, height: 56 }).map((picture, i) => ({ ...picture, time: i / 2 }));
  const shown = { ...question, parts: [{ kind: 'video', pictures, timeZero: 0 }] };
  const asVideo = await outcome(new RemoteBackend({ ...patient, frames: 'video' }).ask(shown));
  report('a video of frames', asVideo.startsWith('model_failed'), `the server does not know the form: ${asVideo}`);
  const stranger = await outcome(new RemoteBackend({ ...patient, apiKey: 'sk-wrong' }).ask(question));
  report('a wrong key', stranger.startsWith('bad_config') && !stranger.includes('sk-wrong'), stranger);
  const nowhere = await outcome(new RemoteBackend({ ...patient, baseUrl: `${baseUrl}/nowhere` }).ask(question));
  report('another path', nowhere.startsWith('bad_config'), nowhere);
  const abort = new AbortController();
  const endless = new RemoteBackend({ ...patient, extraFields: { ignore_eos: true } });
  const asking = outcome(endless.ask({ ...question, maxTokens: CONTEXT - 100 }, abort.signal));
  setTimeout(() => abort.abort(), 50);
  const stopped = await asking;
  const well = await backend.ask(question);
  report('a question that is not waited for', stopped.startsWith('cancelled') && well.text !== '', stopped);
}

/**
 * Tokens outside ASCII. A random model strings them to bytes that are no UTF-8, which llama.cpp answers with an error.
 *
 * @param {string} checkpoint @returns {number[]}
 */
function bytesThatAreNoText(checkpoint) {
  const { model } = JSON.parse(readFileSync(path.join(checkpoint, 'tokenizer.json'), 'utf8'));
  // Byte-level vocabularies write a space and a line end as these two.
  return Object.entries(model.vocab).flatMap(([word, id]) => (/^[!-~ĠĊ]+$/.test(word) ? [] : [id]));
}

/** Every task: understood, whatever a random model says, with its times inside the window. @param {World['report']} report @param {RemoteBackend} backend */
async function checkTasks(report, backend) {
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
