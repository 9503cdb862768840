/** What layers wrote that read a whole video by themselves: their stretches, in order, and how far each layer is. */

import type { Database } from './database.js';
import type { Events } from './events.js';
import type { Makings } from './makings.js';
import type { LayerProgress, LayerWrite } from './records.js';
import { finite } from './values.js';
import type { Videos } from './videos.js';

export class LayerPasses {
  readonly #db: Database;
  readonly #videos: Videos;
  readonly #events: Events;
  readonly #makings: Makings;

  constructor(db: Database, videos: Videos, events: Events, makings: Makings) {
    this.#db = db;
    this.#videos = videos;
    this.#events = events;
    this.#makings = makings;
  }

  begin(videoId: string, layer: string, identity: string): LayerProgress {
    return this.#db.write(() => {
      const place = { video_key: this.#videos.key(videoId), layer };
      const known = this.#db.get<{ identity: string; done: number }>(
        'SELECT identity, done FROM layer_pass WHERE video_key = @video_key AND layer = @layer',
        place,
      );
      if (known?.identity !== identity) {
        this.#drop(place);
        this.#db.run('INSERT INTO layer_pass VALUES (@video_key, @layer, @identity, 0)', { ...place, identity });
        return { done: false, until: 0, stretches: 0 };
      }
      const written = this.#db.get<{ n: number; until: number | null }>(
        'SELECT count(*) AS n, max(end_s) AS until FROM segment WHERE video_key = @video_key AND layer = @layer',
        place,
      );
      return { done: known.done === 1, until: written?.until ?? 0, stretches: written?.n ?? 0 };
    });
  }

  write(videoId: string, layer: string, { index, range, events, last }: LayerWrite, embedderId?: string): void {
    this.#db.write(() => {
      const place = { video_key: this.#videos.key(videoId), layer, window_index: index };
      this.#db.run(
        `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, caption, model, precision_s, making_key)
         VALUES (@video_key, @layer, @window_index, @start_s, @end_s, 0, NULL, NULL, 0, @making)`,
        {
          ...place,
          start_s: finite(range.start, 'range.start'),
          end_s: finite(range.end, 'range.end'),
          making: this.#makings.keyOf({ model: '', frames: '', subtitles: '', meaning: embedderId ?? '' }),
        },
      );
      this.#events.insert(place, events, embedderId);
      if (last)
        this.#db.run('UPDATE layer_pass SET done = 1 WHERE video_key = @video_key AND layer = @layer', {
          video_key: place.video_key,
          layer,
        });
    });
  }

  clear(videoId: string, layer?: string): void {
    this.#db.write(() => {
      const video_key = this.#videos.key(videoId);
      const layers =
        layer === undefined
          ? this.#db
              .all<{ layer: string }>('SELECT layer FROM layer_pass WHERE video_key = @video_key', { video_key })
              .map((row) => row.layer)
          : [layer];
      for (const name of layers) this.#drop({ video_key, layer: name });
    });
  }

  #drop(place: { readonly video_key: number; readonly layer: string }): void {
    this.#db.run('DELETE FROM segment WHERE video_key = @video_key AND layer = @layer', place);
    this.#db.run('DELETE FROM layer_pass WHERE video_key = @video_key AND layer = @layer', place);
  }
}
