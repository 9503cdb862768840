/** A receiver of webhooks on this machine, which answers what it is told to and keeps what it got. */

import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Receiver {
  readonly url: string;
  readonly received: Received[];
  close(): Promise<void>;
}

/** @param answerOf what to answer to the n-th request, counted from 0; undefined: nothing, ever */
export async function openReceiver(
  answerOf: (n: number, path: string) => Answer | undefined = () => ({ status: 204 }),
): Promise<Receiver> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    let body = '';
    request.on('data', (piece: Buffer) => {
      body += piece.toString();
    });
    request.on('end', () => {
      const answer = answerOf(received.length, request.url ?? '');
      received.push({ path: request.url ?? '', headers: request.headers, body });
      if (answer)
        response.writeHead(answer.status, answer.headers).end('x'.repeat(answer.status === 204 ? 0 : 100_000));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
