/** A library folder on this machine: SQLite as the truth, full text and vector indexes derived from it. */

import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { LongwatchError, toLongwatchError } from '../../src/errors.js';
import { FullText } from '../fulltext/full-text.js';
import type { IntegrityReport, Library, LibraryStats, SearchScope, TextHit, VectorHit } from '../library.js';
import { unitVector } from '../vectors/vector.js';
import type { VectorIndexStatus } from '../vectors/vector-index.js';
import { VectorSearch, vectorFolder } from '../vectors/vector-search.js';
import { Database, type OpenOptions } from './database.js';
import { Embeddings } from './embeddings.js';
import { Events } from './events.js';
import { checkIntegrity } from './integrity.js';
import { Jobs } from './jobs.js';
import { KeptAnswers } from './kept-answers.js';
import { LayerPasses } from './layer-passes.js';
import type { EventRecord, JobRecord } from './records.js';
import { rangeParameters } from './scope.js';
import { Summaries } from './summaries.js';
import { Videos } from './videos.js';
import { Watches } from './watches.js';
import { Windows } from './windows.js';

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
  readonly #windows: Windows;
  readonly #layers: LayerPasses;
  readonly #summaries: Summaries;
  readonly #jobs: Jobs;
  readonly #embeddings: Embeddings;
  readonly #fullText: FullText;
  readonly #searches = new Map<string, VectorSearch>();
  readonly #options: LibraryOptions;
  readonly watches: Watches;
  readonly keptAnswers: KeptAnswers;

  constructor(
    readonly directory: string,
    options: LibraryOptions,
  ) {
    this.#db = Database.open(join(directory, DATABASE_FILE), options);
    this.#options = options;
    this.#videos = new Videos(this.#db);
    this.#embeddings = new Embeddings(this.#db);
    this.#events = new Events(this.#db, this.#videos, this.#embeddings);
    this.#windows = new Windows(this.#db, this.#videos, this.#events);
    this.#layers = new LayerPasses(this.#db, this.#videos, this.#events);
    this.#summaries = new Summaries(this.#db, this.#videos);
    this.#jobs = new Jobs(this.#db);
    this.#fullText = new FullText(this.#db);
    this.watches = new Watches(this.#db);
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

  removeVideo(id: string): void {
    this.#videos.remove(id);
  }

  writeWindow(...[videoId, write, embedderId]: Parameters<Library['writeWindow']>): void {
    this.#windows.write(videoId, write, embedderId);
  }

  clearWindows(videoId: string): void {
    this.#videos.clearWindows(videoId);
  }

  writtenWindows(videoId: string) {
    return this.#windows.written(videoId);
  }

  beginLayer(...[videoId, layer, identity]: Parameters<Library['beginLayer']>) {
    return this.#layers.begin(videoId, layer, identity);
  }

  writeLayer(...[videoId, layer, write, embedderId]: Parameters<Library['writeLayer']>): void {
    this.#layers.write(videoId, layer, write, embedderId);
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

  matchText(query: string, limit: number, scope?: SearchScope): TextHit[] {
    return this.#fullText.match(query, limit, scope);
  }

  async nearest(embedderId: string, vector: Float32Array, limit: number, scope?: SearchScope): Promise<VectorHit[]> {
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
        return event ? [{ event, similarity }] : [];
      });
    }
  }

  getSummary(videoId: string, content: string) {
    return this.#summaries.get(videoId, content);
  }

  putSummary(...[videoId, content, summary]: Parameters<Library['putSummary']>): void {
    this.#summaries.put(videoId, content, summary);
  }

  putJob(job: JobRecord): void {
    this.#jobs.put(job);
  }

  getJob(id: string) {
    return this.#jobs.get(id);
  }

  listJobs(...[page]: Parameters<Library['listJobs']>) {
    return this.#jobs.list(page);
  }

  jobCounts() {
    return this.#jobs.counts();
  }

  stats(): LibraryStats {
    const row = this.#db.get<LibraryStats>(
      `SELECT (SELECT count(*) FROM video) AS videos, (SELECT count(*) FROM segment WHERE layer = 'windows') AS segments, (SELECT count(*) FROM event) AS events,
         (SELECT count(*) FROM embedding) AS embeddings, (SELECT coalesce(sum(duration_s), 0) FROM video) AS duration`,
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

  /** Which vector index answers for each embedder, and why. */
  vectorIndexStatus(): VectorIndexStatus[] {
    return this.#embeddings.embedders().flatMap(({ id }) => this.#vectorSearch(id)?.status() ?? []);
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
    this.#db.close();
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
