/** Calls between hosts by way of the database. The one file that knows pg-boss, and it is loaded only here. */

import { setTimeout as wait } from 'node:timers/promises';
import type PgBoss from 'pg-boss';
import { JOB_PARTS, type JobPart } from '../../ingest/jobs/job-part.js';
import type { Waker } from '../../ingest/jobs/waker.js';
import type { Milliseconds } from '../../src/time.js';

/** Its tables lie beside the library's, and hold nothing that is missed when they are dropped. */
const SCHEMA = 'longwatch_calls';
/** One asks, one answers. */
const CONNECTIONS = 2;
/** The shortest that pg-boss knows. */
const LOOK_EVERY_S = 0.5;
/** A call that nobody heard by then is stale: whoever came meanwhile has looked. */
const STALE_AFTER_S = 60;
/** How long a host that is busy lets calls go to others before it hears the next one. */
const BUSY_UNTIL_S = 30;
const TIDY_EVERY_S = 300;
const MAKING_TRIES = 10;
const MAKING_WAIT: Milliseconds = 100;
/** How long closing waits for a call that is being heard. */
const CLOSING: Milliseconds = 2000;

/** Why there is none, or how to open one. */
export async function findPgBoss(): Promise<{ readonly open: typeof openWaker } | { readonly missing: string }> {
  try {
    await import('pg-boss');
    return { open: openWaker };
  } catch {
    return { missing: 'pg-boss is not installed' };
  }
}

/**
 * Makes its tables when they are not there. What it cannot do later, for want of a connection, it leaves.
 * @throws what the database says when its tables cannot be made
 */
async function openWaker(address: string): Promise<Waker> {
  const { default: Boss } = await import('pg-boss');
  const boss = new Boss({
    connectionString: address,
    schema: SCHEMA,
    max: CONNECTIONS,
    application_name: 'longwatch calls',
    schedule: false,
    retryLimit: 0,
    retentionSeconds: STALE_AFTER_S,
    expireInSeconds: 2 * BUSY_UNTIL_S,
    archiveCompletedAfterSeconds: STALE_AFTER_S,
    deleteAfterSeconds: STALE_AFTER_S,
    maintenanceIntervalSeconds: TIDY_EVERY_S,
  });
  // It goes on by itself when the database is back.
  boss.on('error', () => {});
  try {
    await boss.start();
    for (const part of JOB_PARTS) await makeQueue(boss, part);
    return new BossWaker(boss);
  } catch (error) {
    await boss.stop({ graceful: false }).catch(() => {});
    throw error;
  }
}

/** Hosts that begin at once get in each other's way: the database ends one of two that add a queue to the same table. */
async function makeQueue(boss: PgBoss, part: JobPart): Promise<void> {
  for (let tries = 1; !(await boss.getQueue(part)); tries++) {
    try {
      await boss.createQueue(part);
    } catch (error) {
      if (tries === MAKING_TRIES) throw error;
      await wait(Math.random() * MAKING_WAIT * tries);
    }
  }
}

class BossWaker implements Waker {
  readonly #boss: PgBoss;
  #closed = false;

  constructor(boss: PgBoss) {
    this.#boss = boss;
  }

  async call(parts: readonly JobPart[]): Promise<void> {
    if (this.#closed) return;
    for (const part of parts) await this.#boss.send(part, {}).catch(() => {});
  }

  async hear(parts: readonly JobPart[], listen: () => Promise<void>): Promise<void> {
    const options = { pollingIntervalSeconds: LOOK_EVERY_S, batchSize: 1 };
    const hear = async () => {
      let timer: NodeJS.Timeout | undefined;
      const enough = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, BUSY_UNTIL_S * 1000);
      });
      await Promise.race([listen(), enough]);
      clearTimeout(timer);
    };
    for (const part of parts) await this.#boss.work(part, options, hear).catch(() => {});
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#boss.stop({ graceful: true, wait: true, timeout: CLOSING }).catch(() => {});
  }
}
