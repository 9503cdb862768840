/**
 * Asks transformers' own server through `RemoteBackend`, our own runtime through `LocalBackend`, and transformers itself with neither in
 * between, and compares the answers.
 *
 *   npm run interop -- [--python PATH] [--checkpoint FOLDER]
 *
 * PATH is a Python that has requirements.txt installed (default: $PYTHON, else python3); FOLDER any checkpoint of Qwen2.5-VL (default:
 * the tiny random one of fixtures/golden). Not part of the test suite, because torch is large.
 */

import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildModel } from '../../dist/src/qwen/build.js';
import { picturesOf } from '../../dist/src/qwen/golden.js';
import { LocalBackend } from '../../dist/src/qwen/local-backend.js';
import { QwenRuntime } from '../../dist/src/qwen/runtime.js';
import { timeMark } from '../../dist/src/remote/frames.js';
import { RemoteBackend } from '../../dist/src/remote/remote-backend.js';

const here = fileURLToPath(new URL('./', import.meta.url));
const { values } = parseArgs({ options: { python: { type: 'string' }, checkpoint: { type: 'string' } } });
const python = values.python ?? process.env.PYTHON ?? 'python3';
const checkpoint = path.resolve(values.checkpoint ?? path.join(here, '../../fixtures/golden/tiny-tied/checkpoint'));
const environment = { ...process.env, HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '', TOKENIZERS_PARALLELISM: 'false' };
const START_LIMIT_MS = 180_000;

/** @typedef {{ seed: number, frame: number, width: number, height: number }} Still */
/** @typedef {{ seed: number, frames: number, width: number, height: number, start: number, step: number }} Video */
/** @typedef {{ text?: string, image?: Still, video?: Video, time_zero?: number }} Part */
/** @typedef {{ name: string, max_tokens: number, system?: string, parts: Part[] }} Question */
/** @typedef {{ name: string, texts: string[], prompt_tokens: number, answer_tokens: number, margin: number }} Expected */

let failures = 0;

/** @param {string} name @param {boolean} holds @param {string} evidence */
function report(name, holds, evidence) {
  if (!holds) failures++;
  console.log(`${holds ? 'ok  ' : 'FAIL'}  ${name}: ${evidence}`);
}

const home = mkdtempSync(path.join(tmpdir(), 'longwatch-interop-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
/** @type {Question[]} */
const questions = JSON.parse(readFileSync(path.join(here, 'questions.json'), 'utf8'));
/** @type {Expected[]} */
const expected = JSON.parse(
  execFileSync(python, [path.join(here, 'expected.py'), checkpoint], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }),
);

const local = await openLocal();
await compareAnswers('local', local, ({ parts, ...rest }) => ({ ...rest, parts: parts.flatMap(asImages) }));
await local.close();

const { server, url } = await startServer();
try {
  // Lossless, so that the server sees the very same pixels.
  const remote = new RemoteBackend({ baseUrl: url, model: checkpoint, pictures: 'png' });
  await compareAnswers('remote', remote, (request) => request);
  await remote.close();
  await checkManners();
} finally {
  server.kill();
}
console.log(failures === 0 ? 'All agree with transformers itself.' : `${failures} of the checks failed.`);
process.exitCode = failures === 0 ? 0 : 1;

/**
 * The same greedy answers, and as many tokens, as transformers itself gives.
 *
 * @param {string} where @param {LocalBackend | RemoteBackend} backend @param {(request: object) => object} prepare
 */
async function compareAnswers(where, backend, prepare) {
  for (const [index, question] of questions.entries()) {
    const wanted = expected[index];
    const given = await backend.ask(prepare(requestOf(question)));
    const same = wanted.texts.includes(given.text);
    const counts = given.promptTokens === wanted.prompt_tokens && given.answerTokens === wanted.answer_tokens;
    const evidence = `${JSON.stringify(given.text)}, ${given.promptTokens} + ${given.answerTokens} tokens, closest choice won by ${wanted.margin}`;
    const difference = same && counts ? '' : `; expected ${JSON.stringify(wanted)}`;
    report(`${where}, ${question.name}`, same && counts, evidence + difference);
  }
}

/** The checkpoint as our own runtime has it, in full precision. */
async function openLocal() {
  const directory = path.join(home, 'model');
  await buildModel(checkpoint, directory, { dtype: 'fp32', selfTest: false });
  return new LocalBackend('interop', await QwenRuntime.open(directory, { threads: 1 }));
}

/** A video as it travels to a server: images with their times between them. @param {object} part */
function asImages(part) {
  if (part.kind !== 'video') return [part];
  return part.pictures.flatMap((picture) => [
    { kind: 'text', text: timeMark(picture.time - part.timeZero) },
    { kind: 'image', picture },
  ]);
}

/** What the server does not know is told from trouble: it is asked in another way, or reported at once. */
async function checkManners() {
  const waiting = { sleep: async () => {} };
  const retry = { attempts: 2 };
  const question = { parts: [{ kind: 'text', text: 'Say when.' }], maxTokens: 4 };

  const backend = new RemoteBackend({ baseUrl: url, model: checkpoint, waiting, retry });
  const chosen = await backend.ask({ ...question, maxTokens: 1, choices: ['yes', 'no'] });
  report(
    'choices',
    chosen.choiceProbabilities === undefined,
    'the server gives no probabilities, and none are made up',
  );
  const schema = { type: 'object', properties: { start: { type: 'number' } } };
  const bound = await outcome(backend.ask({ ...question, schema }));
  report('a schema', bound.startsWith('model_failed'), `the server binds no answers and the model babbles: ${bound}`);
  const pictures = picturesOf({
    kind: 'video',
    seed: 1,
    frames: 2,
    width: 56,
    height: 56,
    times: [0],
    pairs: 1,
    rows: 4,
    columns: 4,
  });
  const video = new RemoteBackend({ baseUrl: url, model: checkpoint, frames: 'video', waiting, retry });
  const shown = pictures.map((picture, i) => ({ ...picture, time: i / 2 }));
  const unknown = await outcome(video.ask({ ...question, parts: [{ kind: 'video', pictures: shown, timeZero: 0 }] }));
  report('a video of frames', unknown.startsWith('model_failed'), `the server does not know the form: ${unknown}`);
  const other = new RemoteBackend({ baseUrl: url, model: 'another-model', waiting, retry });
  const nobody = await outcome(other.ask(question));
  report('another model', nobody.includes('another-model'), nobody);
  const lost = new RemoteBackend({ baseUrl: `${url}/nowhere`, model: checkpoint, waiting, retry });
  const nowhere = await outcome(lost.ask(question));
  report('another path', nowhere.startsWith('bad_config'), nowhere);
}

/** @param {Promise<{ text: string }>} asking @returns {Promise<string>} */
async function outcome(asking) {
  try {
    return `answer ${JSON.stringify((await asking).text)}`;
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

/** @param {Question} question */
function requestOf({ system, parts, max_tokens: maxTokens }) {
  return { ...(system === undefined ? {} : { system }), parts: parts.map(partOf), maxTokens };
}

/** @param {Part} part */
function partOf({ text, image, video, time_zero: timeZero }) {
  if (text !== undefined) return { kind: 'text', text };
  if (image) return { kind: 'image', picture: drawn(image.seed, image.frame + 1, image)[image.frame] };
  const pictures = drawn(video.seed, video.frames, video);
  const timed = pictures.map((picture, i) => ({ ...picture, time: video.start + i * video.step }));
  return { kind: 'video', pictures: timed, timeZero };
}

/** Pictures by the formula of fixtures/golden. @param {number} seed @param {number} frames @param {{ width: number, height: number }} size */
function drawn(seed, frames, { width, height }) {
  return picturesOf({ kind: 'video', seed, frames, width, height, times: [], pairs: 0, rows: 0, columns: 0 });
}

/** Starts `transformers serve` on a free port and waits until it is well. */
async function startServer() {
  const port = await freePort();
  const server = spawn(
    python,
    ['-c', 'from transformers.cli.transformers import main; main()', 'serve', checkpoint].concat([
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--device',
      'cpu',
      '--dtype',
      'float32',
    ]),
    { cwd: home, env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  process.on('exit', () => server.kill());
  let log = '';
  for (const stream of [server.stdout, server.stderr])
    stream.on('data', (chunk) => (log = (log + chunk).slice(-4_000)));
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_LIMIT_MS;
  while (Date.now() < deadline && server.exitCode === null) {
    const well = await fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (well) return { server, url };
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  server.kill();
  throw new Error(`transformers serve did not start. Is requirements.txt installed for ${python}?\n${log}`);
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
