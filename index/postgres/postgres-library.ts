/** A library in a PostgreSQL database: the same tables for all hosts, and on each of them a folder for what is only its own. */

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { JobClaim, JobEnd, JobFence, NewJob } from '../../ingest/jobs/job.js';
import { LongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import { publicAddress } from '../../src/library-address.js';
import type { IntegrityReport, Library, LibraryStats, PointHit, SearchScope, TextHit, VectorHit } from '../library.js';
import { rangeParameters } from '../store/scope.js';
import { unitVector } from '../vectors/vector.js';
import type { Neighbour, VectorIndexStatus } from '../vectors/vector-index.js';
import { VectorSearch } from '../vectors/vector-search.js';
import type { Database } from './database.js';
import {
  embeddingSource,
  eventsOf,
  findEmbedder,
  holdsEmbeddings,
  listEmbedders,
  type PointedEmbedder,
} from './embeddings.js';
import { listEvents } from './events.js';
import { matchText } from './full-text.js';
import { checkIntegrity } from './integrity.js';
import { gotOn, Jobs, requireHeld } from './jobs.js';
import { KeptAnswers } from './kept-answers.js';
import { makingsOf, readWindow, remarkWindow, stretchEvents, stretchesToEmbed, writeMeaning } from './makings.js';
import { type OpenOptions, openDatabase } from './open-database.js';
import { PointSearch } from './point-search.js';
import { fillPoints, tryExtension } from './points.js';
import { countTags, videosWith } from './tags.js';
import {
  addCopy,
  beginWindow,
  dropCopy,
  getSummary,
  givenUpWindows,
  giveUpWindow,
  leaveWindow,
  listPlaces,
  missVideo,
  moveVideo,
  putSummary,
  timelineOf,
} from './video-extras.js';
import { Videos } from './videos.js';
import { Watches } from './watches.js';
import { WindowTasks } from './window-tasks.js';
import { beginLayer, clearLayers, listSegments, writeStretch, writeWindow, writtenWindows } from './windows.js';
import { Workers } from './workers.js';

/** Times that nearest neighbours are looked for again when another process deleted some of them meanwhile. */
const NEAREST_TRIES = 3;

export interface PostgresOptions extends OpenOptions {
  /** Folder of this host: the vector index that is derived from the rows, and what the API is given in pieces. */
  readonly state: string;
  /** Embeddings from which on an approximate index is used. @default 50_000, see `GRAPH_FROM_ROWS` */
  readonly graphFromRows?: number;
  /** Embeddings of one partition of pgvector's table, about, when it is made anew. @default 1_000_000, see `PARTITION_ROWS` */
  readonly partitionRows?: number;
}

/**
 * Opens the library in the database that `address` names.
 * @throws {LongwatchError} `library_unreachable`, `library_not_found`, `library_newer`, `forbidden`, `conflict`; see `openDatabase`
 */
export async function openPostgresLibrary(address: string, options: PostgresOptions): Promise<PostgresLibrary> {
  const db = await openDatabase(address, options);
  if (!options.readonly) await mkdir(options.state, { recursive: true });
  if (options.create && !options.readonly) await tryExtension(db);
  return new PostgresLibrary(db, address, options);
}

/** What answers for one embedder: pgvector in the database, or an index of this process over the rows. */
type Search = Pick<VectorSearch, 'search' | 'status' | 'rebuild' | 'close'>;

export class PostgresLibrary implements Library {
  readonly directory: string;
  readonly sharedWindows: WindowTasks;
  readonly watches: Watches;
  readonly workers: Workers;
  readonly keptAnswers: KeptAnswers;
  readonly #db: Database;
  readonly #address: string;
  readonly #options: PostgresOptions;
  readonly #videos: Videos;
  readonly #jobs: Jobs;
  readonly #searches = new Map<string, Search>();
  readonly #held: { readonly fence: JobFence; readonly unfenced: Database } | undefined;

  /**
   * @param address with the password, for a process that builds the vector index
   * @param held The job under which this object writes. Attempts are counted whoever holds the job: one that was cancelled has left its
   * window all the same.
   */
  constructor(
    db: Database,
    address: string,
    options: PostgresOptions,
    held?: { readonly fence: JobFence; readonly unfenced: Database },
  ) {
    this.directory = resolve(options.state);
    this.#db = db;
    this.#address = address;
    this.#options = options;
    this.#held = held;
    this.#videos = new Videos(db);
    this.#jobs = new Jobs(db);
    this.sharedWindows = new WindowTasks(db, held?.fence);
    this.watches = new Watches(db);
    this.workers = new Workers(db);
    this.keptAnswers = new KeptAnswers(db);
  }

  addVideo(...[video]: Parameters<Library['addVideo']>) {
    return this.#videos.add(video);
  }

  updateVideo(...[id, patch]: Parameters<Library['updateVideo']>) {
    return this.#videos.update(id, patch);
  }

  getVideo(id: string) {
    return this.#videos.get(id);
  }

  findVideo(idOrPath: string) {
    return this.#videos.find(idOrPath);
  }

  listVideos(...[page]: Parameters<Library['listVideos']>) {
    return this.#videos.list(page);
  }

  tagVideo(...[id, change]: Parameters<Library['tagVideo']>) {
    return this.#videos.tag(id, change);
  }

  tags() {
    return countTags(this.#db);
  }

  taggedVideos(tags: readonly string[]) {
    return videosWith(this.#db, tags);
  }

  removeVideo(id: string) {
    return this.#videos.remove(id);
  }

  async writeWindow(...[videoId, write, embedderId]: Parameters<Library['writeWindow']>): Promise<void> {
    await this.#db.write(async (sql) => {
      await writeWindow(sql, videoId, write, embedderId);
      if (this.#held) await gotOn(sql, this.#held.fence);
      failpoint('commit');
    });
    failpoint('committed');
  }

  makings(videoId: string) {
    return makingsOf(this.#db, videoId);
  }

  readWindow(videoId: string, index: number) {
    return readWindow(this.#db, videoId, index);
  }

  remarkWindow(...[videoId, index, made]: Parameters<Library['remarkWindow']>) {
    return remarkWindow(this.#db, videoId, index, made);
  }

  stretchesToEmbed(videoId: string, embedderId: string) {
    return stretchesToEmbed(this.#db, videoId, embedderId);
  }

  stretchEvents(...[videoId, place]: Parameters<Library['stretchEvents']>) {
    return stretchEvents(this.#db, videoId, place);
  }

  writeMeaning(...[videoId, place, vectors, embedderId]: Parameters<Library['writeMeaning']>) {
    return this.#db.write(async (sql) => {
      await writeMeaning(sql, videoId, place, vectors, embedderId);
      if (this.#held) await gotOn(sql, this.#held.fence);
      failpoint('stretch');
    });
  }

  beginWindow(...[videoId, index, model]: Parameters<Library['beginWindow']>) {
    return beginWindow(this.#unfenced, videoId, index, model);
  }

  leaveWindow(videoId: string, index: number) {
    return leaveWindow(this.#unfenced, videoId, index);
  }

  giveUpWindow(videoId: string, index: number) {
    return giveUpWindow(this.#unfenced, videoId, index);
  }

  givenUpWindows(videoId: string) {
    return givenUpWindows(this.#db, videoId);
  }

  clearWindows(videoId: string) {
    return this.#videos.clearWindows(videoId);
  }

  writtenWindows(videoId: string) {
    return writtenWindows(this.#db, videoId);
  }

  beginLayer(...[videoId, layer, identity]: Parameters<Library['beginLayer']>) {
    return beginLayer(this.#db, videoId, layer, identity);
  }

  writeLayer(...[videoId, layer, write, embedderId]: Parameters<Library['writeLayer']>) {
    return this.#db.write(async (sql) => {
      await writeStretch(sql, videoId, layer, write, embedderId);
      if (this.#held) await gotOn(sql, this.#held.fence);
      failpoint('stretch');
    });
  }

  clearLayers(...[videoId, layer]: Parameters<Library['clearLayers']>) {
    return clearLayers(this.#db, videoId, layer);
  }

  events(...[videoId, filter]: Parameters<Library['events']>) {
    return listEvents(this.#db, videoId, filter);
  }

  segments(...[videoId, page]: Parameters<Library['segments']>) {
    return listSegments(this.#db, videoId, page);
  }

  timeline(...[videoId, range, part]: Parameters<Library['timeline']>) {
    return timelineOf(this.#db, videoId, range, part);
  }

  matchText(...[query, limit, scope, options]: Parameters<Library['matchText']>): Promise<TextHit[]> {
    return matchText(this.#db, query, limit, scope, options);
  }

  async nearest(...asked: Parameters<Library['nearest']>): Promise<VectorHit[]> {
    return (await this.#neighbours(...asked)).map(({ event, similarity }) => ({ event, similarity }));
  }

  async nearestPoints(...asked: Parameters<Library['nearest']>): Promise<PointHit[]> {
    const hits = await this.#neighbours(...asked);
    const source = await embeddingSource(this.#db, asked[0]);
    const vectors = await source?.vectors(hits.map(({ id }) => id));
    return hits.flatMap(({ id, event, similarity }) => {
      const vector = vectors?.get(id);
      return vector ? [{ event, similarity, vector }] : [];
    });
  }

  async #neighbours(
    embedderId: string,
    vector: Float32Array,
    limit: number,
    scope?: SearchScope,
  ): Promise<(VectorHit & { readonly id: number })[]> {
    if (scope?.range) rangeParameters(scope.range);
    const embedder = await findEmbedder(this.#db, embedderId);
    const query = unitVector(vector, embedder?.dim ?? vector.length);
    if (!embedder || limit < 1) return [];
    const search = await this.#search(embedder);
    for (let attempt = 1; ; attempt++) {
      const neighbours: Neighbour[] = await search.search(query, limit, scope);
      const events = await eventsOf(
        this.#db,
        neighbours.map(({ id }) => id),
      );
      if (events.size < neighbours.length && attempt < NEAREST_TRIES) continue;
      return neighbours.flatMap(({ id, similarity }) => {
        const event = events.get(id);
        return event ? [{ id, event, similarity }] : [];
      });
    }
  }

  holds(embedderId: string) {
    return holdsEmbeddings(this.#db, embedderId);
  }

  getSummary(videoId: string, content: string) {
    return getSummary(this.#db, videoId, content);
  }

  putSummary(...[videoId, content, summary]: Parameters<Library['putSummary']>) {
    return putSummary(this.#db, videoId, content, summary);
  }

  addJob(job: NewJob) {
    return this.#jobs.add(job);
  }

  claimJob(claim: JobClaim) {
    return this.#jobs.claim(claim);
  }

  holdJob(...[path, claim, settings]: Parameters<Library['holdJob']>) {
    return this.#jobs.hold(path, claim, settings);
  }

  renewJob(...[fence, lease, step]: Parameters<Library['renewJob']>) {
    return this.#jobs.renew(fence, lease, step);
  }

  endJob(fence: JobFence, end: JobEnd) {
    return this.#jobs.end(fence, end);
  }

  cancelJob(id: string) {
    return this.#jobs.cancel(id);
  }

  pauseJob(id: string) {
    return this.#jobs.pause(id);
  }

  resumeJob(id: string) {
    return this.#jobs.resume(id);
  }

  retryJob(id: string) {
    return this.#jobs.retry(id);
  }

  prioritiseJob(id: string, priority: number) {
    return this.#jobs.prioritise(id, priority);
  }

  pauseJobs(paused: boolean) {
    return this.#jobs.pauseAll(paused);
  }

  jobsPaused() {
    return this.#jobs.paused();
  }

  getJob(id: string) {
    return this.#jobs.get(id);
  }

  listJobs(...[page]: Parameters<Library['listJobs']>) {
    return this.#jobs.list(page);
  }

  sightJobs(...[ids]: Parameters<Library['sightJobs']>) {
    return this.#jobs.sight(ids);
  }

  lastJobs() {
    return this.#jobs.lastByPath();
  }

  jobCounts() {
    return this.#jobs.counts();
  }

  underJob(fence: JobFence): Library {
    const db = this.#unfenced.guardedBy((sql) => requireHeld(sql, fence));
    return new PostgresLibrary(db, this.#address, this.#options, { fence, unfenced: this.#unfenced });
  }

  videoFiles() {
    return listPlaces(this.#db);
  }

  placeVideo(...[id, place]: Parameters<Library['placeVideo']>) {
    return moveVideo(this.#db, id, place);
  }

  addCopy(...[id, place]: Parameters<Library['addCopy']>) {
    return addCopy(this.#db, id, place);
  }

  dropCopy(path: string) {
    return dropCopy(this.#db, path);
  }

  missVideo(id: string) {
    return missVideo(this.#db, id);
  }

  videoOfContent(sha256: string) {
    return this.#videos.ofContent(sha256);
  }

  async stats(): Promise<LibraryStats> {
    const row = await this.#db.get<LibraryStats>(
      `SELECT (SELECT count(*) FROM video) AS videos, (SELECT count(*) FROM segment WHERE layer = 'windows') AS segments,
         (SELECT coalesce(sum(events), 0)::bigint FROM video_words) AS events, (SELECT coalesce(sum(rows), 0)::bigint FROM embedder) AS embeddings,
         (SELECT coalesce(sum(duration_s), 0) FROM video) AS duration`,
    );
    return row ?? { videos: 0, segments: 0, events: 0, embeddings: 0, duration: 0 };
  }

  check(): Promise<IntegrityReport> {
    return checkIntegrity({ db: this.#db, vectorFolder: this.#vectorFolder, reader: this.#reader });
  }

  async vectorIndexStatus(): Promise<VectorIndexStatus[]> {
    const embedders = await listEmbedders(this.#db);
    return Promise.all(embedders.map(async (embedder) => (await this.#search(embedder)).status()));
  }

  /** A database is copied by its own tools. @throws {LongwatchError} `invalid_input`, always */
  async backup(file: string): Promise<void> {
    throw new LongwatchError('invalid_input', 'A library in PostgreSQL is backed up by the tools of PostgreSQL.', {
      hint: `Run: pg_dump --format=custom --schema=longwatch --exclude-table='longwatch.embedding_point_*' --file='${file.replaceAll("'", `'\\''`)}' '${publicAddress(this.#address)}'`,
    });
  }

  /** Where pgvector came after the embeddings, its table is made now. */
  async rebuildIndex(): Promise<void> {
    await tryExtension(this.#db);
    for (const embedder of await listEmbedders(this.#db)) {
      const { partitionRows } = this.#options;
      const filled = await this.#db.atLength('write', (sql) => fillPoints(sql, embedder, partitionRows));
      if (!filled) await (await this.#search(embedder)).rebuild();
    }
  }

  async close(): Promise<void> {
    for (const search of this.#searches.values()) await search.close();
    this.#searches.clear();
    if (!this.#held) await this.#db.close();
  }

  get #unfenced(): Database {
    return this.#held?.unfenced ?? this.#db;
  }

  /** Which of pgvector and an index of our own answers may change while this process runs. */
  async #search(embedder: PointedEmbedder): Promise<Search> {
    const name = `${embedder.has_points} ${embedder.id}`;
    const known = this.#searches.get(name);
    if (known) return known;
    const source = await embeddingSource(this.#db, embedder.id, this.#reader);
    if (!source) throw new LongwatchError('internal', `The embedder ${embedder.id} was there and is gone.`);
    const { graphFromRows, partitionRows, readonly = false } = this.#options;
    const search =
      embedder.has_points === 1
        ? new PointSearch(this.#db, source, { indexFromRows: graphFromRows, partitionRows })
        : new VectorSearch(source, {
            library: this.#address,
            folder: this.#vectorFolder,
            readonly,
            ...(graphFromRows === undefined ? {} : { graphFromRows }),
          });
    this.#searches.set(name, search);
    return search;
  }

  /** Of its own for each library, since one folder may serve several. */
  get #vectorFolder(): string {
    return join(this.directory, `vectors-${digest(publicAddress(this.#address))}`);
  }

  get #reader(): string {
    return digest(`${hostname()}\n${this.#vectorFolder}`);
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}
