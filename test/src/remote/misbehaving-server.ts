/** A real HTTP server that answers from a script, well or badly, and remembers what it was asked. */

import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Asked {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

export interface Exchange {
  readonly asked: Asked;
  readonly response: http.ServerResponse;
  readonly socket: Socket;
}

/** Answers one request, or does something else with it. */
export type Act = (exchange: Exchange) => void;

export class MisbehavingServer {
  readonly asked: Asked[] = [];
  /** One act per question in order; the last one is done again and again. */
  script: Act[] = [];
  /** Whether it acts before it has read the question; that one is remembered without its body. */
  hasty = false;
  /** What it does when it is asked how it is: it knows no such question. */
  whenChecked: Act = raw('', 404);
  /** Paths of such questions. */
  readonly checks: string[] = [];
  #sockets = new Set<Socket>();
  readonly #server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('error', () => {});
    if (request.method === 'GET') {
      const asked: Asked = { path: request.url ?? '', headers: request.headers, body: {} };
      this.checks.push(asked.path);
      this.whenChecked({ asked, response, socket: request.socket });
      return;
    }
    if (this.hasty) {
      const asked: Asked = { path: request.url ?? '', headers: request.headers, body: {} };
      this.asked.push(asked);
      this.script[0]?.({ asked, response, socket: request.socket });
      request.resume();
      return;
    }
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const asked: Asked = {
        path: request.url ?? '',
        headers: request.headers,
        body: JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>,
      };
      this.asked.push(asked);
      const act = this.script.length > 1 ? this.script.shift() : this.script[0];
      act?.({ asked, response, socket: request.socket });
    });
  });

  /** @param port @default any free one */
  async listen(port = 0): Promise<this> {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    return this;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** A proper answer with this text. */
export function completion(
  text: unknown,
  more: { finish?: string; logprobs?: unknown; message?: object } = {},
): object {
  const { finish = 'stop', logprobs, message = {} } = more;
  return {
    id: 'x',
    object: 'chat.completion',
    choices: [{ index: 0, finish_reason: finish, message: { role: 'assistant', content: text, ...message }, logprobs }],
    usage: { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 },
  };
}

export function json(body: unknown, status = 200, headers: http.OutgoingHttpHeaders = {}): Act {
  return ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(JSON.stringify(body));
  };
}

export function raw(body: string, status = 200, headers: http.OutgoingHttpHeaders = {}): Act {
  return ({ response }) => {
    response.writeHead(status, headers);
    response.end(body);
  };
}

export const answer = (text: string) => json(completion(text));

/** The bytes of a whole HTTP answer, for servers that stop in the middle of one. */
export function answerBytes(text: string): Buffer {
  const body = JSON.stringify(completion(text));
  return Buffer.from(
    `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
  );
}

/** Sends these bytes as they are and hangs up. */
export function hangUpAfter(bytes: Buffer): Act {
  return ({ socket }) => {
    if (bytes.length === 0) socket.destroy();
    else socket.write(bytes, () => socket.destroy());
  };
}
