/** A library folder on this machine: SQLite as the truth, full text and vector indexes derived from it. */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { JobClaim, JobEnd, JobFence, NewJob } from '../../ingest/jobs/job.js';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { failpoint } from '../../src/failpoint.js';
import { FullText } from '../fulltext/full-text.js';
import type { IntegrityReport, Library, LibraryStats, PointHit, SearchScope, TextHit, VectorHit } from '../library.js';
import { unitVector } from '../vectors/vector.js';
import type { VectorIndexStatus } from '../vectors/vector-index.js';
import { VectorSearch, vectorFolder } from '../vectors/vector-search.js';
import { Database, type OpenOptions } from './database.js';
import { Embeddings } from './embeddings.js';
import { Events } from './events.js';
import { checkIntegrity } from './integrity.js';
import { leaseLost } from './job-row.js';
import { Jobs } from './jobs.js';
import { KeptAnswers } from './kept-answers.js';
import { LayerPasses } from './layer-passes.js';
import { Makings } from './makings.js';
import type { EventRecord } from './records.js';
import { rangeParameters } from './scope.js';
import { Summaries } from './summaries.js';
import { Tags } from './tags.js';
import { Timelines } from './timeline.js';
import { VideoPlaces } from './video-places.js';
import { Videos } from './videos.js';
import { Watches } from './watches.js';
import { WindowAttempts } from './window-attempts.js';
import { WindowTasks } from './window-tasks.js';
import { Windows } from './windows.js';
import { Workers } from './workers.js';

/** Name of the database in a library folder. */
export const DATABASE_FILE = 'library.sqlite';
/** Times that nearest neighbours are looked for again when another process deleted some of them meanwhile. */
const NEAREST_TRIES = 3;

export interface LibraryOptions extends OpenOptions {
  /** Embeddings from which on an approximate index is used. @default 50_000, see `GRAPH_FROM_ROWS` */
  readonly graphFromRows?: number;
}

/**
 * Opens the library in `directory`.
 * @throws {LongwatchError} `library_not_found` when there is none and `create` is not set; `library_newer`, `library_damaged`,
 * `library_busy`, `forbidden`, `disk_full`, `conflict` as `Database.open`
 */
export function openLibrary(directory: string, options: LibraryOptions = {}): SqliteLibrary {
  return new SqliteLibrary(resolve(directory), options);
}

export class SqliteLibrary implements Library {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #events: Events;
  readonly #makings: Makings;
  readonly #tags: Tags;
  readonly #windows: Windows;
  readonly #layers: LayerPasses;
  readonly #timelines: Timelines;
  readonly #summaries: Summaries;
  readonly #jobs: Jobs;
  readonly #embeddings: Embeddings;
  readonly #fullText: FullText;
  readonly #searches = new Map<string, VectorSearch>();
  readonly #options: LibraryOptions;
  readonly sharedWindows: WindowTasks;
  readonly watches: Watches;
  readonly workers: Workers;
  readonly keptAnswers: KeptAnswers;

  readonly #attempts: WindowAttempts;
  readonly #places: VideoPlaces;
  readonly #fence: JobFence | undefined;

  /**
   * @param held What this object shares with another one of the same library, and the job under which it writes. Attempts are counted
   * whoever holds the job: one that was cancelled has left its window all the same.
   */
  constructor(
    readonly directory: string,
    options: LibraryOptions,
    held?: { readonly db: Database; readonly fence: JobFence; readonly attempts: WindowAttempts },
  ) {
    this.#db = held?.db ?? Database.open(join(directory, DATABASE_FILE), options);
    this.#fence = held?.fence;
    this.#options = options;
    this.#videos = new Videos(this.#db);
    this.#embeddings = new Embeddings(this.#db);
    this.#events = new Events(this.#db, this.#videos, this.#embeddings);
    this.#makings = new Makings(this.#db, this.#videos, this.#embeddings);
    this.#tags = new Tags(this.#db, this.#videos);
    this.#windows = new Windows(this.#db, this.#videos, this.#events, this.#makings);
    this.#layers = new LayerPasses(this.#db, this.#videos, this.#events, this.#makings);
    this.#timelines = new Timelines(this.#db, this.#videos);
    this.#summaries = new Summaries(this.#db, this.#videos);
    this.#jobs = new Jobs(this.#db);
    this.#attempts = held?.attempts ?? new WindowAttempts(this.#db, this.#videos);
    this.#places = new VideoPlaces(this.#db, this.#videos);
    this.#fullText = new FullText(this.#db);
    this.sharedWindows = new WindowTasks(this.#db, this.#videos, this.#windows, this.#fence);
    this.watches = new Watches(this.#db);
    this.workers = new Workers(this.#db);
    this.keptAnswers = new KeptAnswers(this.#db);
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
    return this.#tags.change(id, change);
  }

  tags() {
    return this.#tags.counts();
  }

  taggedVideos(tags: readonly string[]) {
    return this.#tags.videosWith(tags);
  }

  removeVideo(id: string): void {
    this.#videos.remove(id);
  }

  writeWindow(...[videoId, write, embedderId]: Parameters<Library['writeWindow']>): void {
    this.#db.write(() => {
      this.#windows.write(videoId, write, embedderId);
      if (this.#fence) this.#jobs.gotOn(this.#fence);
      failpoint('commit');
    });
    failpoint('committed');
  }

  beginWindow(...[videoId, index, model]: Parameters<Library['beginWindow']>): number {
    return this.#attempts.begin(videoId, index, model);
  }

  leaveWindow(videoId: string, index: number): void {
    this.#attempts.leave(videoId, index);
  }

  giveUpWindow(videoId: string, index: number): void {
    this.#attempts.giveUp(videoId, index);
  }

  givenUpWindows(videoId: string) {
    return this.#attempts.givenUp(videoId);
  }

  clearWindows(videoId: string): void {
    this.#videos.clearWindows(videoId);
  }

  writtenWindows(videoId: string) {
    return this.#windows.written(videoId);
  }

  makings(videoId: string) {
    return this.#makings.ofWindows(videoId);
  }

  readWindow(...[videoId, index]: Parameters<Library['readWindow']>) {
    return this.#windows.read(videoId, index);
  }

  remarkWindow(...[videoId, index, made]: Parameters<Library['remarkWindow']>): void {
    this.#makings.set(videoId, { layer: 'windows', index }, made);
  }

  stretchesToEmbed(...[videoId, embedderId]: Parameters<Library['stretchesToEmbed']>) {
    return this.#makings.toEmbed(videoId, embedderId);
  }

  stretchEvents(...[videoId, place]: Parameters<Library['stretchEvents']>) {
    return this.#makings.events(videoId, place);
  }

  writeMeaning(...[videoId, place, vectors, embedderId]: Parameters<Library['writeMeaning']>): void {
    this.#db.write(() => {
      this.#makings.embedAnew(videoId, place, vectors, embedderId);
      if (this.#fence) this.#jobs.gotOn(this.#fence);
      failpoint('stretch');
    });
  }

  beginLayer(...[videoId, layer, identity]: Parameters<Library['beginLayer']>) {
    return this.#layers.begin(videoId, layer, identity);
  }

  writeLayer(...[videoId, layer, write, embedderId]: Parameters<Library['writeLayer']>): void {
    this.#db.write(() => {
      this.#layers.write(videoId, layer, write, embedderId);
      if (this.#fence) this.#jobs.gotOn(this.#fence);
      failpoint('stretch');
    });
  }

  clearLayers(...[videoId, layer]: Parameters<Library['clearLayers']>): void {
    this.#layers.clear(videoId, layer);
  }

  events(...[videoId, filter]: Parameters<Library['events']>) {
    return this.#events.list(videoId, filter);
  }

  segments(...[videoId, page]: Parameters<Library['segments']>) {
    return this.#windows.segments(videoId, page);
  }

  timeline(...[videoId, range, part]: Parameters<Library['timeline']>) {
    return this.#timelines.of(videoId, range, part);
  }

  matchText(...asked: Parameters<Library['matchText']>): TextHit[] {
    return this.#fullText.match(...asked);
  }

  async nearest(...asked: Parameters<Library['nearest']>): Promise<VectorHit[]> {
    return (await this.#neighbours(...asked)).map(({ event, similarity }) => ({ event, similarity }));
  }

  async nearestPoints(...asked: Parameters<Library['nearest']>): Promise<PointHit[]> {
    const hits = await this.#neighbours(...asked);
    const vectors = this.#embeddings.source(asked[0])?.vectors(hits.map(({ id }) => id));
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
    const source = this.#embeddings.source(embedderId);
    const query = unitVector(vector, source?.dim ?? vector.length);
    const search = this.#vectorSearch(embedderId);
    if (!search || limit < 1) return [];
    for (let attempt = 1; ; attempt++) {
      const neighbours = await search.search(query, limit, scope);
      const events = this.#embeddings.events(neighbours.map(({ id }) => id));
      if (events.size < neighbours.length && attempt < NEAREST_TRIES) continue;
      return neighbours.flatMap(({ id, similarity }) => {
        const event: EventRecord | undefined = events.get(id);
        return event ? [{ id, event, similarity }] : [];
      });
    }
  }

  holds(embedderId: string): boolean {
    return this.#embeddings.has(embedderId);
  }

  getSummary(videoId: string, content: string) {
    return this.#summaries.get(videoId, content);
  }

  putSummary(...[videoId, content, summary]: Parameters<Library['putSummary']>): void {
    this.#summaries.put(videoId, content, summary);
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

  pauseJobs(paused: boolean): void {
    this.#jobs.pauseAll(paused);
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

  sightJobs(...[ids, state]: Parameters<Library['sightJobs']>) {
    return this.#jobs.sight(ids, state);
  }

  lastJobs() {
    return this.#jobs.lastByPath();
  }

  underJob(fence: JobFence): SqliteLibrary {
    const mayWrite = () => {
      if (!this.#jobs.holds(fence)) throw leaseLost(fence);
    };
    const db = this.#db.guardedBy(mayWrite);
    return new SqliteLibrary(this.directory, this.#options, { db, fence, attempts: this.#attempts });
  }

  videoFiles() {
    return this.#places.list();
  }

  placeVideo(...[id, place]: Parameters<Library['placeVideo']>) {
    return this.#places.move(id, place);
  }

  addCopy(...[id, place]: Parameters<Library['addCopy']>): void {
    this.#places.addCopy(id, place);
  }

  dropCopy(path: string): void {
    this.#places.dropCopy(path);
  }

  missVideo(id: string): void {
    this.#places.miss(id);
  }

  videoOfContent(sha256: string) {
    return this.#videos.ofContent(sha256);
  }

  jobCounts() {
    return this.#jobs.counts();
  }

  stats(): LibraryStats {
    const row = this.#db.get<LibraryStats>(
      // Counts that the schema's triggers keep.
      `SELECT count(*) AS videos, (SELECT value FROM meta WHERE key = 'windows') AS segments,
         (SELECT value FROM meta WHERE key = 'worded_events') + (SELECT coalesce(sum(uses), 0) FROM label) AS events,
         (SELECT coalesce(sum(rows), 0) FROM embedder) AS embeddings, coalesce(sum(duration_s), 0) AS duration
       FROM video`,
    );
    return row ?? { videos: 0, segments: 0, events: 0, embeddings: 0, duration: 0 };
  }

  check(): Promise<IntegrityReport> {
    return checkIntegrity({
      db: this.#db,
      fullText: this.#fullText,
      embeddings: this.#embeddings,
      vectorFolder: vectorFolder(this.directory),
    });
  }

  async vectorIndexStatus(): Promise<VectorIndexStatus[]> {
    const searches = this.#embeddings.embedders().flatMap(({ id }) => this.#vectorSearch(id) ?? []);
    return Promise.all(searches.map((search) => search.status()));
  }

  /**
   * The copy appears under its name only when it is complete and on disk. The vector index is not in it: it is rebuilt from the rows.
   * @throws {LongwatchError} `conflict` when `file` is the library itself, `disk_full`, `forbidden`
   */
  async backup(file: string): Promise<void> {
    const target = resolve(file);
    if (target === this.#db.file) {
      throw new LongwatchError('conflict', 'The backup would replace the library itself.', {
        hint: 'Choose another file.',
      });
    }
    const draft = `${target}.tmp-${process.pid}`;
    try {
      mkdirSync(dirname(target), { recursive: true });
      await this.#db.copyTo(draft);
      const descriptor = openSync(draft, 'r+');
      fsyncSync(descriptor);
      closeSync(descriptor);
      renameSync(draft, target);
    } catch (error) {
      throw toLongwatchError(error, target);
    } finally {
      for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true });
    }
  }

  async rebuildIndex(): Promise<void> {
    for (const { id } of this.#embeddings.embedders()) await this.#vectorSearch(id)?.rebuild();
  }

  async close(): Promise<void> {
    for (const search of this.#searches.values()) await search.close();
    this.#searches.clear();
    if (!this.#fence) this.#db.close();
  }

  #vectorSearch(embedderId: string): VectorSearch | undefined {
    const known = this.#searches.get(embedderId);
    if (known) return known;
    const source = this.#embeddings.source(embedderId);
    if (!source) return undefined;
    const { graphFromRows } = this.#options;
    const search = new VectorSearch(source, {
      library: this.#db.file,
      folder: vectorFolder(this.directory),
      readonly: this.#options.readonly ?? false,
      ...(graphFromRows === undefined ? {} : { graphFromRows }),
    });
    this.#searches.set(embedderId, search);
    return search;
  }
}
