/** `transformers serve`: what it takes to start it, and its manners, which are few: no schemas, no probabilities, no video. */

import { drawn, outcome, remoteBackend, WAITING } from './asking.js';
import { startServer } from './server.js';

/** @typedef {import('./asking.js').World} World */

/** @param {World} world */
export async function start({ python, checkpoint, home, environment }) {
  const main = 'from transformers.cli.transformers import main; main()';
  const { url, stop } = await startServer(
    python,
    (port) =>
      ['-c', main, 'serve', checkpoint, '--host', '127.0.0.1', '--port', String(port)].concat([
        '--device',
        'cpu',
        '--dtype',
        'float32',
      ]),
    { cwd: home, env: environment },
  );
  return { stop, options: { baseUrl: url, model: checkpoint } };
}

/** Tokens without text are what the checkpoint says. @param {string} text */
export function withoutControl(text) {
  return text;
}

/**
 * What the server does not know is told from trouble: it is asked in another way, or reported at once.
 *
 * @param {World} world @param {{ baseUrl: string, model: string }} options
 */
export async function checkManners({ report }, options) {
  const patient = { ...options, ...WAITING };
  const question = { parts: [{ kind: 'text', text: 'Say when.' }], maxTokens: 4 };

  const backend = remoteBackend(patient);
  const chosen = await backend.ask({ ...question, maxTokens: 1, choices: ['yes', 'no'] });
  report(
    'choices',
    chosen.choiceProbabilities === undefined,
    'the server gives no probabilities, and none are made up',
  );
  const schema = { type: 'object', properties: { start: { type: 'number' } } };
  const bound = await outcome(backend.ask({ ...question, schema }));
  report('a schema', bound.startsWith('model_failed'), `the server binds no answers and the model babbles: ${bound}`);
  const pictures = drawn(1, 2, { width: 56, height: 56 }).map((picture, i) => ({ ...picture, time: i / 2 }));
  const shown = { ...question, parts: [{ kind: 'video', pictures, timeZero: 0 }] };
  const asVideo = await outcome(remoteBackend({ ...patient, frames: 'video' }).ask(shown));
  report('a video of frames', asVideo.startsWith('model_failed'), `the server does not know the form: ${asVideo}`);
  const nobody = await outcome(remoteBackend({ ...patient, model: 'another-model' }).ask(question));
  report('another model', nobody.startsWith('bad_config') && nobody.includes('another-model'), nobody);
  const lost = remoteBackend({ ...patient, baseUrl: `${options.baseUrl}/nowhere` });
  const nowhere = await outcome(lost.ask(question));
  report('another path', nowhere.startsWith('bad_config'), nowhere);
}
