/** Answers as a reader's thread does; dies of one question, and never comes up when it is told so. */

import { parentPort, workerData } from 'node:worker_threads';

if (workerData.directory.endsWith('unwilling')) throw new Error('no memory for a thread');
parentPort?.postMessage({ kind: 'open' });
parentPort?.on('message', (request) => {
  if (request === 'close') parentPort?.close();
  else if (request.parameters[0] === 'die') process.exit(3);
  else if (request.parameters[0] !== 'wait')
    parentPort?.postMessage({ kind: 'done', id: request.id, answer: [`to ${request.parameters[0]}`] });
});
