/** What a fleet of cameras or an archive asks of workers, database and index, from figures that were measured on one machine. */

import type { Seconds } from '../../../src/time.js';

/** One hour of media, as it costs and weighs. Sources: docs/performance.md; what is not measured is called assumed where it is given. */
export interface HourOfMedia {
  /** Processor seconds of decoding and signals. */
  readonly decodeCpu: Seconds;
  /** Processor seconds of hearing and reading the screen. */
  readonly layersCpu: Seconds;
  /** Seconds of a model server that describes its windows. */
  readonly modelTime: Seconds;
  readonly windows: number;
  readonly events: number;
  /** Texts with a vector. */
  readonly vectors: number;
  /** Bytes of rows in the database with their indexes, vectors as rows included. */
  readonly rowBytes: number;
  /** Bytes of the file. */
  readonly fileBytes: number;
}

export interface Fleet {
  readonly name: string;
  /** Hours of media that arrive in an hour. */
  readonly hoursPerHour: number;
  /** Hours of media that are kept searchable. */
  readonly kept: number;
  readonly hour: HourOfMedia;
}

/** What one machine of a kind can do; measured or assumed as said where it is made. */
export interface Machines {
  readonly workerCores: number;
  /** Windows that one process writes in a transaction of its own each, a second, all processes of one database together. */
  readonly windowWrites: number;
  /** Heartbeats and claims of jobs, a second, all processes together. */
  readonly jobWrites: number;
  readonly databaseMemory: number;
  readonly networkBytes: number;
}

export interface Demand {
  /** Machines of `workerCores` cores that are busy all the time. */
  readonly workers: number;
  readonly modelServers: number;
  readonly windowWrites: number;
  readonly jobWrites: number;
  readonly networkBytes: number;
  readonly rowBytes: number;
  readonly vectorBytes: number;
}

/** Bytes of a vector of 384 halves in pgvector's HNSW index, without the row: `npm run bench:shards`, 117 MB of 100,000. */
export const VECTOR_BYTES = 1_170;

/** A worker says that it lives every so often; see `ingest/jobs/queue.ts`. */
const HEARTBEAT: Seconds = 2;

export function demandOf({ hoursPerHour, kept, hour }: Fleet, { workerCores }: Machines): Demand {
  const jobsAtOnce = (hoursPerHour * (hour.decodeCpu + hour.layersCpu)) / 3600 / workerCores;
  return {
    workers: jobsAtOnce,
    modelServers: (hoursPerHour * hour.modelTime) / 3600,
    windowWrites: (hoursPerHour * hour.windows) / 3600,
    // Each running job: a heartbeat; each file: made, claimed, ended.
    jobWrites: jobsAtOnce / HEARTBEAT + (3 * hoursPerHour) / 3600,
    networkBytes: (hoursPerHour * hour.fileBytes) / 3600,
    rowBytes: kept * hour.rowBytes,
    vectorBytes: kept * hour.vectors * VECTOR_BYTES,
  };
}

/** What of the demand is beyond one database and its network: the names of the limits with how often they are exceeded, worst first. */
export function beyond(
  demand: Demand,
  machines: Machines,
): readonly { readonly limit: string; readonly times: number }[] {
  return [
    { limit: 'windows written a second', times: demand.windowWrites / machines.windowWrites },
    { limit: 'heartbeats and claims a second', times: demand.jobWrites / machines.jobWrites },
    { limit: 'vectors in the memory of the database', times: demand.vectorBytes / machines.databaseMemory },
    { limit: 'bytes a second from the store of the files', times: demand.networkBytes / machines.networkBytes },
  ]
    .filter(({ times }) => times > 1)
    .sort((a, b) => b.times - a.times);
}
