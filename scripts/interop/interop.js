/**
 * Asks servers of others through `RemoteBackend`, our own runtime through `LocalBackend`, and transformers itself with neither in between,
 * and compares the answers: the same checkpoint, the same pictures, the same greedy words.
 *
 *   npm run interop -- [--server transformers|llama.cpp|vllm]... [--python PATH] [--vllm-python PATH] [--checkpoint FOLDER]
 *
 * Without --server the first two are asked. PATH is a Python that has requirements.txt installed (default: $PYTHON, else python3), for
 * vLLM another that has vLLM (default: $VLLM_PYTHON, else python3); FOLDER any checkpoint of Qwen2.5-VL (default: the tiny random one
 * of fixtures/golden). vLLM has no heads of 16 on a processor: give it fixtures/golden/tiny-untied/checkpoint. Not part of the test
 * suite, because torch is large.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { buildModel } from '../../dist/src/qwen/build.js';
import { LocalBackend } from '../../dist/src/qwen/local-backend.js';
import { QwenRuntime } from '../../dist/src/qwen/runtime.js';
import { timeMark } from '../../dist/src/remote/frames.js';
import { drawn, remoteBackend } from './asking.js';
import * as llamaCpp from './llama-cpp.js';
import * as transformers from './transformers.js';
import * as vllm from './vllm.js';

const SERVERS = { transformers, 'llama.cpp': llamaCpp, vllm };
/** Asked without being named. vLLM wants another torch than the others, and so a Python of its own. */
const USUAL = ['transformers', 'llama.cpp'];
const here = fileURLToPath(new URL('./', import.meta.url));
const { values } = parseArgs({
  options: {
    python: { type: 'string' },
    checkpoint: { type: 'string' },
    server: { type: 'string', multiple: true },
    'vllm-python': { type: 'string' },
  },
});
const servers = (values.server ?? USUAL).map((name) => {
  if (!Object.hasOwn(SERVERS, name))
    throw new Error(`--server is one of ${Object.keys(SERVERS).join(', ')}, not ${name}.`);
  return [name, SERVERS[name]];
});
const python = values.python ?? process.env.PYTHON ?? 'python3';
const checkpoint = path.resolve(values.checkpoint ?? path.join(here, '../../fixtures/golden/tiny-tied/checkpoint'));
const environment = { ...process.env, HF_HUB_OFFLINE: '1', CUDA_VISIBLE_DEVICES: '', TOKENIZERS_PARALLELISM: 'false' };

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
const world = {
  python,
  vllmPython: values['vllm-python'] ?? process.env.VLLM_PYTHON ?? 'python3',
  checkpoint,
  home,
  environment,
  local,
  report,
};
for (const [name, server] of servers) {
  const { options, stop } = await server.start(world);
  try {
    // Lossless, so that the server sees the very same pixels.
    const remote = remoteBackend({ ...options, pictures: 'png' });
    await compareAnswers(name, remote, (request) => request, server.withoutControl);
    await remote.close();
    await askWithJpeg(name, options);
    await server.checkManners({ ...world, report: (what, ...rest) => report(`${name}, ${what}`, ...rest) }, options);
  } finally {
    await stop();
  }
}
await local.close();
console.log(failures === 0 ? 'All agree with transformers itself.' : `${failures} of the checks failed.`);
process.exitCode = failures === 0 ? 0 : 1;

/**
 * The same greedy answers, and as many tokens, as transformers itself gives.
 *
 * @param {string} where @param {LocalBackend | RemoteBackend} backend @param {(request: object) => object} prepare
 * @param {(text: string) => string} [withoutControl] What of a text the backend shows.
 */
async function compareAnswers(where, backend, prepare, withoutControl = (text) => text) {
  for (const [index, question] of questions.entries()) {
    const wanted = expected[index];
    const given = await backend.ask(prepare(requestOf(question)));
    const same = wanted.texts.map(withoutControl).includes(withoutControl(given.text));
    const counts = given.promptTokens === wanted.prompt_tokens && given.answerTokens === wanted.answer_tokens;
    const evidence = `${JSON.stringify(given.text)}, ${given.promptTokens} + ${given.answerTokens} tokens, closest choice won by ${wanted.margin}`;
    const difference = same && counts ? '' : `; expected ${JSON.stringify(wanted)}`;
    report(`${where}, ${question.name}`, same && counts, evidence + difference);
  }
}

/**
 * Frames as they travel unless told otherwise: other pixels, so other words, but of as many pictures.
 *
 * @param {string} where @param {{ baseUrl: string, model: string }} options
 */
async function askWithJpeg(where, options) {
  const [index, question] = [...questions.entries()].find(([, { parts }]) => parts.some(({ video }) => video));
  const { promptTokens, text } = await remoteBackend(options).ask(requestOf(question));
  const evidence = `${promptTokens} tokens, ${JSON.stringify(text)}`;
  report(`${where}, frames as JPEG`, promptTokens === expected[index].prompt_tokens, evidence);
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
