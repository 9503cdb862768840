/** How stretches were made: with which model, embedder and words. Few combinations stand in a table of their own. */

import { LongwatchError } from '../../src/errors.js';
import type { Database } from './database.js';
import type { Embeddings } from './embeddings.js';
import { EVENT_COLUMNS, type EventRow, toEventRecord } from './event-row.js';
import { MAKING, type MakingRow, noStretch, toMaking } from './making-row.js';
import type { EventRecord, Making, StretchPlace } from './records.js';
import type { Videos } from './videos.js';

const STRETCH = 'segment.video_key = @video_key AND segment.layer = @layer AND segment.window_index = @window_index';

export class Makings {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #embeddings: Embeddings;

  constructor(db: Database, videos: Videos, embeddings: Embeddings) {
    this.#db = db;
    this.#videos = videos;
    this.#embeddings = embeddings;
  }

  /** The row of a combination, inside the caller's transaction. */
  keyOf(made: Making): number {
    return makingKey(this.#db, made);
  }

  ofWindows(videoId: string): Map<number, Making | undefined> {
    const rows = this.#db.all<MakingRow & { window_index: number }>(
      `SELECT window_index, making_key, ${MAKING} FROM segment LEFT JOIN making ON making.key = making_key
       WHERE video_key = @key AND layer = 'windows' ORDER BY window_index`,
      { key: this.#videos.key(videoId) },
    );
    return new Map(rows.map((row) => [row.window_index, toMaking(row)]));
  }

  of(videoId: string, place: StretchPlace): Making | undefined {
    const row = this.#db.get<MakingRow>(
      `SELECT making_key, ${MAKING} FROM segment LEFT JOIN making ON making.key = making_key WHERE ${STRETCH}`,
      this.#parameters(videoId, place),
    );
    return row && toMaking(row);
  }

  set(videoId: string, place: StretchPlace, made: Making): void {
    this.#db.write(() => {
      const { changes } = this.#db.run(`UPDATE segment SET making_key = @making WHERE ${STRETCH}`, {
        ...this.#parameters(videoId, place),
        making: this.keyOf(made),
      });
      if (changes === 0) noStretch(videoId, place);
    });
  }

  toEmbed(videoId: string, embedderId: string): StretchPlace[] {
    return this.#db.all<StretchPlace>(
      `SELECT layer, window_index AS "index" FROM segment JOIN making ON making.key = making_key
       WHERE video_key = @key AND meaning <> @embedder ORDER BY layer, window_index`,
      { key: this.#videos.key(videoId), embedder: embedderId },
    );
  }

  events(videoId: string, place: StretchPlace): EventRecord[] {
    return this.#db
      .all<EventRow>(
        `SELECT ${EVENT_COLUMNS} FROM event JOIN video ON video.key = event.video_key
         WHERE event.video_key = @video_key AND event.layer = @layer AND event.window_index = @window_index ORDER BY event.position`,
        this.#parameters(videoId, place),
      )
      .map(toEventRecord);
  }

  /** The vectors of one embedder, by the position of their event. */
  vectors(videoId: string, place: StretchPlace, embedderId: string): Map<number, Float32Array> {
    return this.#embeddings.ofStretch(this.#parameters(videoId, place), embedderId);
  }

  embedAnew(
    videoId: string,
    place: StretchPlace,
    vectors: readonly (Float32Array | undefined)[],
    embedderId: string,
  ): void {
    this.#db.write(() => {
      const parameters = this.#parameters(videoId, place);
      const before = this.of(videoId, place) ?? noStretch(videoId, place);
      for (const former of [before.meaning, before.frames]) this.#embeddings.drop(parameters, former);
      const keys = this.#db.all<{ key: number }>(
        `SELECT key FROM event WHERE video_key = @video_key AND layer = @layer AND window_index = @window_index ORDER BY position`,
        parameters,
      );
      const embedded = vectors.flatMap((vector, position) => {
        const eventKey = keys[position]?.key;
        return vector && eventKey !== undefined ? [{ eventKey, vector }] : [];
      });
      if (embedded.length > 0) this.#embeddings.insert(embedderId, embedded);
      this.set(videoId, place, { ...before, meaning: embedderId, frames: '' });
    });
  }

  #parameters(videoId: string, { layer, index }: StretchPlace) {
    return { video_key: this.#videos.key(videoId), layer, window_index: index };
  }
}

/** The row of a combination, made where there is none, inside the caller's transaction. */
export function makingKey(db: Database, { model, frames, subtitles, meaning }: Making): number {
  const parts = { model, frames, subtitles, meaning };
  db.run(
    `INSERT INTO making (model, frames, subtitles, meaning) VALUES (@model, @frames, @subtitles, @meaning)
     ON CONFLICT DO NOTHING`,
    parts,
  );
  const row = db.get<{ key: number }>(
    'SELECT key FROM making WHERE model = @model AND frames = @frames AND subtitles = @subtitles AND meaning = @meaning',
    parts,
  );
  if (!row) throw new LongwatchError('internal', 'How a stretch was made was stored and is not there.');
  return row.key;
}
