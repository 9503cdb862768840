import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type Harness, openHarness } from './harness.js';

let harness: Harness;
afterEach(() => harness?.close());

const WORKER = {
  owner: 'here/7/x',
  host: 'box',
  version: '1.2.3',
  parts: ['decode', 'sound'],
  draining: false,
} as const;

it('GET /v1/workers tells who does the jobs and what each is at', async () => {
  harness = openHarness();
  const { library } = harness;
  library.workers.sign(WORKER);
  library.workers.sign({ ...WORKER, owner: 'there/9/y', parts: ['speech'], draining: true });
  const { id } = library.addJob({ path: '/a' });
  const claim = library.claimJob({ owner: 'here/7/x', lease: 60_000, isGone: () => false });
  const step = { stage: 'windows', progress: 0.123456, speed: 3.456, progressed: 0 };
  library.renewJob(claim?.fence ?? { jobId: '', token: 0 }, 60_000, step);
  const { status, body } = await harness.get('/v1/workers');
  expect(status).toBe(200);
  const common = { host: 'box', version: '1.2.3', since: expect.any(String), silence_ms: expect.any(Number) };
  const jobs = [{ id, path: '/a', stage: 'windows', progress: 0.1235, speed_x: 3.46 }];
  expect(body).toEqual({
    workers: [
      { ...common, id: 'here/7/x', parts: ['decode', 'sound'], state: 'working', jobs },
      { ...common, id: 'there/9/y', parts: ['speech'], state: 'draining', jobs: [] },
    ],
  });
});

it('GET /metrics tells what each part waits for, how fast each stage goes and how each worker is', async () => {
  harness = openHarness();
  const { library } = harness;
  for (const name of ['/a', '/b', '/c']) library.addJob({ path: name });
  const claim = () => library.claimJob({ owner: WORKER.owner, lease: 60_000, isGone: () => false });
  const fenceOf = (claimed: ReturnType<typeof claim>) => claimed?.fence ?? { jobId: '', token: 0 };
  library.endJob(fenceOf(claim()), { kind: 'handed', videoId: 'v', parts: ['speech', 'text'] });
  // The one that was handed on waits for the longest now.
  library.claimJob({ owner: WORKER.owner, lease: 60_000, isGone: () => false, parts: ['decode'] });
  library.workers.sign(WORKER);
  const { body } = await harness.get('/metrics');
  const lines = String(body).split('\n');
  for (const line of [
    'longwatch_job_queue_depth{part="decode"} 1',
    'longwatch_job_queue_depth{part="model"} 0',
    'longwatch_job_queue_depth{part="speech"} 1',
    'longwatch_model_windows{claimed="no"} 0',
    'longwatch_job_queue_depth{part="text"} 1',
    'longwatch_job_queue_depth{part="pictures"} 0',
    'longwatch_workers{state="working"} 1',
    'longwatch_workers{state="lost"} 0',
  ])
    expect(lines).toContain(line);
  const self = 'worker="here/7/x",host="box",version="1.2.3",parts="decode sound",state="working"';
  expect(lines.some((line) => line.startsWith(`longwatch_worker_silence_seconds{${self}} `))).toBe(true);
});

it('the line of a request names the job that came of it, under which the worker logs', async () => {
  harness = openHarness();
  const film = path.join(harness.folder, 'a.mp4');
  writeFileSync(film, 'x');
  const { status, headers, body } = await harness.send('POST', '/v1/videos', { path: film });
  expect(status).toBe(202);
  const line = harness.lines.find(({ message }) => message === 'request');
  expect(line?.fields).toMatchObject({ request: headers.get('x-request-id'), job_id: (body as { id: string }).id });
});
