/** A line between a program and a database that can be cut, so that neither end hears of it. */

import { once } from 'node:events';
import net from 'node:net';

export class CutLine {
  readonly #server: net.Server;
  readonly #pairs = new Set<readonly [net.Socket, net.Socket]>();
  #cut = false;

  /** @param socket path of the database's socket */
  constructor(socket: string) {
    this.#server = net.createServer((near) => {
      const far = net.connect(socket);
      const pair = [near, far] as const;
      this.#pairs.add(pair);
      near.on('data', (bytes) => void (this.#cut || far.write(bytes)));
      far.on('data', (bytes) => void (this.#cut || near.write(bytes)));
      for (const [end, other] of [pair, [far, near]] as const)
        end
          .on('error', () => {})
          .on('close', () => {
            other.destroy();
            this.#pairs.delete(pair);
          });
    });
  }

  /** The port of this machine that leads to the database. */
  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** From now on nothing gets through, and no connection is closed. */
  cut(): void {
    this.#cut = true;
  }

  /** What was open is broken; what is opened from now on gets through. */
  mend(): void {
    this.#cut = false;
    this.#breakAll();
  }

  close(): void {
    this.#server.close();
    this.#breakAll();
  }

  #breakAll(): void {
    for (const [near, far] of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }
}
