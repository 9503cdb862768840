/**
 * An object as a resource of HTTP on this machine, for a program that can seek in nothing else than files and HTTP. Nothing of the store's address or
 * keys is in it. It has a path that cannot be guessed, is there as long as the program runs, and on Linux serves processes of the same user only:
 * others may see the path in the list of processes.
 */

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import path from 'node:path';
import { BLOCK_BYTES } from './block.js';
import type { ObjectReader } from './object-reader.js';

const HOST = '127.0.0.1';

export interface Loopback {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves the object until it is closed; the reader stays its owner's. @throws what the system says when there is no port */
export async function openLoopback(reader: ObjectReader): Promise<Loopback> {
  // The name keeps the extension, because ffmpeg weighs it when it guesses the format.
  const extension = /^\.[a-z0-9]{1,5}$/i.test(path.posix.extname(reader.facts.url))
    ? path.posix.extname(reader.facts.url).toLowerCase()
    : '';
  const secret = `/${randomBytes(24).toString('hex')}/video${extension}`;
  const server = http.createServer((request, response) => {
    response.on('error', () => {});
    void answer(reader, secret, request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, HOST, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${HOST}:${port}${secret}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  reader: ObjectReader,
  secret: string,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { sizeBytes } = reader.facts;
  if (request.url !== secret || !(await isOwnUser(request.socket))) return refuse(response, 404);
  if (request.method !== 'GET' && request.method !== 'HEAD') return refuse(response, 405);
  const [, first = '', last = ''] = /^bytes=(\d{1,15})-(\d{0,15})$/.exec(request.headers.range ?? '') ?? [];
  const start = Number(first);
  const end = last === '' ? sizeBytes : Math.min(Number(last) + 1, sizeBytes);
  if (start >= sizeBytes || end <= start) {
    response.setHeader('content-range', `bytes */${sizeBytes}`);
    return refuse(response, 416);
  }
  response.writeHead(first === '' ? 200 : 206, {
    'accept-ranges': 'bytes',
    'content-type': 'application/octet-stream',
    'content-length': end - start,
    ...(first === '' ? {} : { 'content-range': `bytes ${start}-${end - 1}/${sizeBytes}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  for (let at = start; at < end && !response.destroyed; ) {
    const bytes = await reader.read(at, Math.min(end, at - (at % BLOCK_BYTES) + BLOCK_BYTES));
    at += bytes.length;
    if (!response.write(bytes) && !response.destroyed)
      await Promise.race([once(response, 'drain'), once(response, 'close')]);
  }
  response.end();
}

function refuse(response: http.ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

/** Whether the other end of a connection is a process of this user, as far as the kernel tells. */
async function isOwnUser({ remotePort, localPort }: Socket): Promise<boolean> {
  const uid = process.getuid?.();
  if (process.platform !== 'linux' || uid === undefined) return true;
  const table = await readFile('/proc/net/tcp', 'latin1').catch(() => '');
  const [theirs, ours] = [hexPort(remotePort), hexPort(localPort)];
  for (const line of table.split('\n')) {
    // sl local_address rem_address st tx:rx tr:tm retrnsmt uid …
    const [, local = '', remote = '', , , , , owner] = line.trim().split(/\s+/);
    if (local.endsWith(theirs) && remote.endsWith(ours)) return Number(owner) === uid;
  }
  return true;
}

function hexPort(port = 0): string {
  return `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
}
