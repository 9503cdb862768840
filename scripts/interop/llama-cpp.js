/**
 * llama.cpp's server: what it takes to start it, and its manners. It binds answers to schemas and tells probabilities; it takes any name
 * for its model.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkChoices, checkTasks, drawn, outcome, remoteBackend, WAITING } from './asking.js';
import { startServer } from './server.js';

/** @typedef {import('./asking.js').World} World */

const KEY = 'sk-interop';
/** Tokens that a question and its answer may have together. */
const CONTEXT = 4096;

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
  const backend = remoteBackend(patient);

  for (const form of ['/v1', '/v1/', '/v1/chat/completions']) {
    const { text } = await remoteBackend({ ...patient, baseUrl: baseUrl + form }).ask(question);
    report(`base URL with ${form}`, text !== '', JSON.stringify(text));
  }
  // Of the twenty likeliest first words, so that both sides know them.
  await checkChoices(report, local, backend, { ...question, maxTokens: 1, choices: ['O', 'Y', 'n'] });
  const cut = await backend.ask({ ...question, maxTokens: 3 });
  report('an answer that is cut', cut.finish === 'length' && cut.answerTokens === 3, JSON.stringify(cut));
  const extraFields = { logit_bias: bytesThatAreNoText(checkpoint).map((token) => [token, false]) };
  await checkTasks(report, remoteBackend({ ...patient, extraFields }));

  const long = { parts: [{ kind: 'text', text: 'When? '.repeat(CONTEXT) }], maxTokens: 4 };
  const tooLong = await outcome(backend.ask(long));
  report('a question that is too long', tooLong.startsWith('overloaded'), tooLong);
  const pictures = drawn(1, 2, { width: 56, height: 56 }).map((picture, i) => ({ ...picture, time: i / 2 }));
  const shown = { ...question, parts: [{ kind: 'video', pictures, timeZero: 0 }] };
  const asVideo = await outcome(remoteBackend({ ...patient, frames: 'video' }).ask(shown));
  report('a video of frames', asVideo.startsWith('model_failed'), `the server does not know the form: ${asVideo}`);
  const stranger = await outcome(remoteBackend({ ...patient, apiKey: 'sk-wrong' }).ask(question));
  report('a wrong key', stranger.startsWith('bad_config') && !stranger.includes('sk-wrong'), stranger);
  const nowhere = await outcome(remoteBackend({ ...patient, baseUrl: `${baseUrl}/nowhere` }).ask(question));
  report('another path', nowhere.startsWith('bad_config'), nowhere);
  const abort = new AbortController();
  const endless = remoteBackend({ ...patient, extraFields: { ignore_eos: true } });
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
