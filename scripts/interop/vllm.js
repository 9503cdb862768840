/** vLLM: what it takes to start it on a processor, and its manners. It binds answers to schemas, tells probabilities and knows frames as a video. */

import { checkChoices, checkTasks, drawn, outcome, remoteBackend, WAITING } from './asking.js';
import { startServer } from './server.js';

/** @typedef {import('./asking.js').World} World */

const KEY = 'sk-interop';
/** Tokens that a question and its answer may have together. */
const CONTEXT = 4096;
const MOST_IMAGES = 16;

/** @param {World} world */
export async function start({ vllmPython, checkpoint, home, environment }) {
  const env = { ...environment, VLLM_CPU_KVCACHE_SPACE: '1', VLLM_NO_USAGE_STATS: '1', VLLM_API_KEY: KEY };
  const { url, stop } = await startServer(
    vllmPython,
    (port) =>
      ['-m', 'vllm.entrypoints.cli.main', 'serve', checkpoint, '--host', '127.0.0.1', '--port', String(port)].concat(
        ['--dtype', 'float32', '--enforce-eager', '--max-num-seqs', '4', '--max-model-len', String(CONTEXT)],
        ['--max-num-batched-tokens', String(CONTEXT)],
        ['--limit-mm-per-prompt', JSON.stringify({ image: MOST_IMAGES, video: 4 })],
        // Frames as a video say themselves how they are to be read.
        ['--trust-request-mm-kwargs'],
        // Tokens for words, not for blanks between them.
        ['--structured-outputs-config', JSON.stringify({ backend: 'xgrammar', disable_any_whitespace: true })],
      ),
    { cwd: home, env },
  );
  return { stop, options: { baseUrl: url, model: checkpoint, apiKey: KEY } };
}

/** Tokens without text are what the checkpoint says; half a character at the end is left away. @param {string} text */
export function withoutControl(text) {
  return text.replace(/\ufffd+$/, '');
}

/** @param {World} world @param {{ baseUrl: string, model: string, apiKey: string }} options */
export async function checkManners({ local, report }, options) {
  const patient = { ...options, ...WAITING };
  const question = { parts: [{ kind: 'text', text: 'When does the rabbit wake up?' }], maxTokens: 4 };
  const backend = remoteBackend(patient);

  // Of the twenty likeliest first words, so that both sides know them.
  await checkChoices(report, local, backend, { ...question, maxTokens: 1, choices: ['K', 'j', 'w'] });
  await checkTasks(report, backend);

  const pictures = drawn(9, 4, { width: 84, height: 56 }).map((picture, i) => ({ ...picture, time: i / 2 }));
  const shown = { ...question, parts: [{ kind: 'video', pictures, timeZero: 0 }, ...question.parts] };
  const asImages = await backend.ask(shown);
  const asVideo = await remoteBackend({ ...patient, frames: 'video' }).ask(shown);
  const seen = await local.ask(shown);
  report(
    'a video of frames',
    asVideo.promptTokens < asImages.promptTokens,
    `${asVideo.promptTokens} tokens, as images ${asImages.promptTokens}, local ${seen.promptTokens}; ${JSON.stringify(asVideo.text)}, local ${JSON.stringify(seen.text)}`,
  );

  const long = await outcome(backend.ask({ parts: [{ kind: 'text', text: 'When? '.repeat(CONTEXT) }], maxTokens: 4 }));
  report('a question that is too long', long.startsWith('overloaded'), long);
  const many = Array.from({ length: MOST_IMAGES + 1 }, () => ({ kind: 'image', picture: pictures[0] }));
  const crowd = await outcome(backend.ask({ ...question, parts: many }));
  report('too many pictures', crowd.startsWith('overloaded'), crowd);
  const nobody = await outcome(remoteBackend({ ...patient, model: 'another-model' }).ask(question));
  report('another model', nobody.startsWith('bad_config'), nobody);
  const stranger = await outcome(remoteBackend({ ...patient, apiKey: 'sk-wrong' }).ask(question));
  report('a wrong key', stranger.startsWith('bad_config') && !stranger.includes('sk-wrong'), stranger);
}
