/**
 * What ten thousand cameras and a million hours ask of machines, and where the plan breaks: `npm run bench:fleet [-- --seed N]`.
 *
 * Costs of an hour are those of docs/performance.md and docs/accuracy.md (2 cores of an AMD EPYC), what a database takes is from `npm run bench:writes` on the same
 * machine; both stand here with their source. What could not be measured is marked as assumed. Change them for machines of yours.
 */

import { seededRandom } from '../../../fixtures/film/random.js';
import type { Seconds } from '../../../src/time.js';
import { beyond, demandOf, type Fleet, type HourOfMedia, type Machines } from './fleet.js';
import { simulate, type Work } from './queue.js';

const GB = 1e9;
const DAY: Seconds = 86_400;
const HOUR: Seconds = 3_600;

/** Bytes in PostgreSQL with indexes and full text: 105,100 events of eleven words and 21,020 vectors of `bench:writes`. */
const EVENT_BYTES = 700;
const VECTOR_ROW_BYTES = 1_732;

/** 480p, decoding and signals: 23.3 s of processor for ten minutes. Text on screen: 91 s where the picture stands still. Nobody speaks. */
const STILL_CAMERA: HourOfMedia = {
  decodeCpu: 140,
  layersCpu: 91,
  // Assumed: half a second of a model server for two frames and a sentence.
  modelTime: 120 * 0.5,
  windows: 120,
  events: 250,
  vectors: 150,
  rowBytes: 250 * EVENT_BYTES + 150 * VECTOR_ROW_BYTES,
  // Assumed: half a megabit a second.
  fileBytes: 0.225 * GB,
};

/** 480p; text on screen 710 s, speech 0.07 of the time. Events and windows as Big Buck Bunny has them. */
const BUSY_FILM: HourOfMedia = {
  decodeCpu: 140,
  layersCpu: 710 + 252,
  // Assumed: two seconds of a model server for up to thirty frames and a few sentences.
  modelTime: 240 * 2,
  windows: 240,
  events: 1_200 + 700,
  vectors: 900,
  rowBytes: 1_900 * EVENT_BYTES + 900 * VECTOR_ROW_BYTES,
  // Assumed: two megabits a second.
  fileBytes: 0.9 * GB,
};

const MACHINES: Machines = {
  workerCores: 2,
  // `npm run bench:writes` with 16 workers, PostgreSQL 15 and its clients on the same two cores: 138 and 3,279.
  windowWrites: 138,
  jobWrites: 3_279,
  // Assumed.
  databaseMemory: 64 * GB,
  // Assumed: ten gigabits.
  networkBytes: 1.25 * GB,
};

const FLEETS: readonly Fleet[] = [
  { name: '100 still cameras, 30 days kept', hoursPerHour: 100, kept: 72_000, hour: STILL_CAMERA },
  { name: '1,000 still cameras, 30 days', hoursPerHour: 1_000, kept: 720_000, hour: STILL_CAMERA },
  { name: '10,000 still cameras, 4 days', hoursPerHour: 10_000, kept: 1_000_000, hour: STILL_CAMERA },
  { name: 'archive of 10,000 hours in a week', hoursPerHour: 10_000 / 168, kept: 10_000, hour: BUSY_FILM },
  { name: 'archive of 1,000,000 hours in a year', hoursPerHour: 1_000_000 / 8_760, kept: 1_000_000, hour: BUSY_FILM },
];

console.log(
  '| fleet | workers of 2 cores | model servers | windows a second | heartbeats and claims a second | from the store | rows | vectors in a graph | beyond one database of this size |',
);
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |');
for (const fleet of FLEETS) {
  const demand = demandOf(fleet, MACHINES);
  const broken = beyond(demand, MACHINES).map(({ limit, times }) => `${limit} (${times.toFixed(1)}×)`);
  row(
    fleet.name,
    demand.workers.toFixed(0),
    demand.modelServers.toFixed(0),
    demand.windowWrites.toFixed(1),
    demand.jobWrites.toFixed(0),
    `${(demand.networkBytes / 1e6).toFixed(0)} MB/s`,
    `${(demand.rowBytes / GB).toFixed(0)} GB`,
    `${(demand.vectorBytes / GB).toFixed(0)} GB`,
    broken.join(', ') || 'nothing',
  );
}

const at = process.argv.indexOf('--seed');
const seed = at < 0 ? 1 : Number(process.argv[at + 1]);
console.log(
  `\nA day of 10,000 still cameras that each hand in an hour every hour, event by event (seed ${seed}). Each worker dies once a month, is away for ten minutes; its job waits for the lease and begins again.\n`,
);
console.log('| files come | workers | busy | wait p50 | p95 | p99 | longest queue | deaths | done twice |');
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
const needed = Math.ceil((10_000 * (STILL_CAMERA.decodeCpu + STILL_CAMERA.layersCpu)) / HOUR / MACHINES.workerCores);
for (const [name, offset] of [
  ['evenly', (random: () => number) => random() * HOUR],
  ['all on the hour', () => 0],
] as const) {
  for (const workers of [needed, Math.ceil(needed * 1.1), Math.ceil(needed * 1.5)]) {
    const random = seededRandom(seed);
    const takes = () =>
      ((STILL_CAMERA.decodeCpu + STILL_CAMERA.layersCpu) / MACHINES.workerCores) * random.between(0.8, 1.2);
    const works: Work[] = Array.from({ length: 10_000 }, () => offset(random.next)).flatMap((first) =>
      Array.from({ length: 24 }, (_, hour) => ({ arrives: first + hour * HOUR, takes: takes() })),
    );
    const pool = { workers, deathEvery: 30 * DAY, away: 600, lease: 60 };
    const { waits, busy, longestQueue, deaths, redone } = simulate(works, pool, random);
    const wait = (part: number) => minutes(waits[Math.floor(part * (waits.length - 1))] ?? 0);
    const figures = [`${(100 * busy).toFixed(0)} %`, wait(0.5), wait(0.95), wait(0.99)];
    row(name, String(workers), ...figures, String(longestQueue), String(deaths), `${(100 * redone).toFixed(3)} %`);
  }
}

function row(...cells: readonly string[]): void {
  console.log(`| ${cells.join(' | ')} |`);
}

function minutes(time: Seconds): string {
  return time < 60 ? `${time.toFixed(0)} s` : `${(time / 60).toFixed(1)} min`;
}
