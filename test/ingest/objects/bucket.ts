/** A real S3 server with one bucket, and a door before it that lets requests through or does something else with them. */

import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { AwsClient } from 'aws4fetch';
import S3rver from 's3rver';
import { ObjectStore } from '../../../ingest/objects/object-store.js';
import type { Persistence } from '../../../ingest/objects/persistence.js';
import type { S3Settings } from '../../../src/config.js';

/** The server knows this one key. */
export const KEY = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };
export const BUCKET = 'films';

/** Fails at once instead of waiting. */
export const IMPATIENT: Partial<Persistence> = { base: 1, longest: 1, stall: 200 };

/** What becomes of a request; `pass` is what the server does. */
export type Door = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  pass: (change?: (answer: http.IncomingMessage) => void) => void,
) => void;

export class Bucket {
  readonly #folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-s3-'));
  readonly #server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: this.#folder,
    configureBuckets: [{ name: BUCKET }],
  });
  readonly #door = http.createServer((request, response) => {
    this.requests.push(`${request.method} ${request.headers.range ?? ''}`.trim());
    response.on('error', () => {});
    const pass = (change?: (answer: http.IncomingMessage) => void) => this.#forward(request, response, change);
    this.door(request, response, pass);
  });
  #port = 0;
  /** Method and range of each request, in order. */
  readonly requests: string[] = [];
  door: Door = (_request, _response, pass) => pass();

  async open(): Promise<this> {
    ({ port: this.#port } = await this.#server.run());
    await new Promise<void>((resolve) => this.#door.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#door.address() as AddressInfo).port}`;
  }

  get settings(): S3Settings {
    return { endpoint: this.endpoint, ...KEY };
  }

  store(settings: Partial<S3Settings> = {}, persistence = IMPATIENT): ObjectStore {
    return new ObjectStore({ ...this.settings, ...settings }, persistence);
  }

  /** @returns the object's `s3://` name */
  async put(key: string, bytes: Uint8Array): Promise<string> {
    await this.#ask(key, { method: 'PUT', body: bytes.slice() });
    return `s3://${BUCKET}/${key}`;
  }

  async remove(key: string): Promise<void> {
    await this.#ask(key, { method: 'DELETE' });
  }

  /** Around the door. */
  async #ask(key: string, init: RequestInit): Promise<void> {
    const client = new AwsClient({ ...KEY, service: 's3', region: 'us-east-1' });
    const name = key
      .split('/')
      .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16)}`))
      .join('/');
    const headers = { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' };
    const response = await client.fetch(`http://127.0.0.1:${this.#port}/${BUCKET}/${name}`, { ...init, headers });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  }

  async close(): Promise<void> {
    this.#door.closeAllConnections();
    await new Promise((resolve) => this.#door.close(resolve));
    await this.#server.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #forward(
    request: http.IncomingMessage,
    response: http.ServerResponse,
    change?: (answer: http.IncomingMessage) => void,
  ) {
    const { method, url, headers } = request;
    const inner = http.request(
      { host: '127.0.0.1', port: this.#port, method, path: url, headers, agent: false },
      (answer) => {
        if (change) return change(answer);
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      },
    );
    response.on('close', () => inner.destroy());
    inner.on('error', () => response.destroy());
    request.pipe(inner);
  }
}
