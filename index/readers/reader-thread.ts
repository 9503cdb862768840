/** The thread of a `Reader`: a library that it has opened for itself, and the calls that it is sent. */

import { parentPort, workerData } from 'node:worker_threads';
import { toLongwatchError } from '../../src/errors.js';
import { openLibrary, type SqliteLibrary } from '../store/sqlite-library.js';
import { type ReaderData, type ReaderReply, type ReaderRequest, toSent } from './reader-calls.js';

const port = parentPort;
if (!port) throw new Error('This module runs in a worker thread.');
const reply = (message: ReaderReply) => port.postMessage(message);
const { directory, options } = workerData as ReaderData;
try {
  const library = openLibrary(directory, options);
  port.on('message', (request: ReaderRequest) => void serve(library, request));
  reply({ kind: 'open' });
} catch (error) {
  reply({ kind: 'refused', error: toSent(toLongwatchError(error)) });
}

async function serve(library: SqliteLibrary, request: ReaderRequest): Promise<void> {
  if (request === 'close') {
    await library.close();
    port?.close();
    return;
  }
  const { id } = request;
  try {
    reply({ kind: 'done', id, answer: await answer(library, request) });
  } catch (error) {
    reply({ kind: 'failed', id, error: toSent(toLongwatchError(error)) });
  }
}

function answer(library: SqliteLibrary, request: Exclude<ReaderRequest, 'close'>): unknown {
  switch (request.call) {
    case 'matchText':
      return library.matchText(...request.parameters);
    case 'nearest':
      return library.nearest(...request.parameters);
    case 'nearestPoints':
      return library.nearestPoints(...request.parameters);
    default:
      return request satisfies never;
  }
}
