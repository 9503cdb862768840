import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { findPgBoss } from '../../../index/postgres/boss-waker.js';
import { openPostgresLibrary } from '../../../index/postgres/postgres-library.js';
import { JobQueue } from '../../../ingest/jobs/queue.js';
import type { Waker } from '../../../ingest/jobs/waker.js';
import { temporaryFolder } from '../support.js';
import { noServer, temporaryDatabase } from './server.js';

const found = await findPgBoss();
if ('missing' in found && process.env['CI']) throw new Error(found.missing);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

it.skipIf(noServer || 'missing' in found)(
  'calls whoever does what is left of a job, and the job table decides',
  async () => {
    const address = await temporaryDatabase();
    const library = await openPostgresLibrary(address, { create: true, state: temporaryFolder() });
    closing.push(async () => library.close());
    const waker = async (): Promise<Waker | undefined> => {
      const opened = 'open' in found ? await found.open(address) : undefined;
      if (opened) closing.push(() => opened.close());
      return opened;
    };
    const [one, two] = await Promise.all([waker(), waker()]);
    const did: string[] = [];
    // The sweep is switched off, so that what is done is done because of a call.
    const queue = (name: string, parts: readonly ('decode' | 'speech')[], calls: Waker | undefined) => {
      const jobs = new JobQueue({
        store: library,
        parts,
        sweep: 3_600_000,
        waker: async () => calls,
        work: async (path) => {
          did.push(`${name} ${path}`);
          return { videoId: 'v', ...(name === 'decoder' ? { left: ['speech'] as const } : {}) };
        },
      });
      closing.push(() => jobs.close());
      jobs.takeUpWaiting();
      return jobs;
    };
    queue('decoder', ['decode'], one);
    queue('listener', ['speech'], two);
    const asking = new JobQueue({
      store: library,
      parts: [],
      waker: async () => one,
      work: async () => ({ videoId: '' }),
    });
    const { id } = await asking.leave('/film');
    while ((await library.getJob(id))?.state !== 'done') await pause(20);
    // A call for nothing is heard and forgotten.
    await one?.call(['decode', 'decode', 'speech']);
    await pause(1200);
    expect(did).toEqual(['decoder /film', 'listener /film']);
  },
);
