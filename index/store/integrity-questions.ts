/** What must be true of the rows of a library, whichever engine holds them, and how it is said when it is not. */

import type { Awaitable } from '../../src/awaitable.js';
import type { IntegrityReport } from '../library.js';
import type { HnswFiles } from '../vectors/hnsw-file.js';
import type { HnswSource } from '../vectors/hnsw-index.js';

/** Errors that are shown of one kind; the rest are as many more of the same. */
export const SHOWN = 5;
/** Ranges that touch may differ by this much after arithmetic on doubles. */
const TOUCH_S = 1e-6;

export type Check = IntegrityReport['checks'][number];

/** Asks the rows. */
export type Ask = <Row>(sql: string, parameters?: Readonly<Record<string, number>>) => Awaitable<Row[]>;

/** One check. What finding errors fails with is an error that was found. */
export async function attempt(name: string, findErrors: () => Awaitable<string[]>): Promise<Check> {
  try {
    const errors = await findErrors();
    const more = errors.length > SHOWN ? ` and ${errors.length - SHOWN} more` : '';
    return errors.length === 0
      ? { name, ok: true, detail: 'in order' }
      : { name, ok: false, detail: `${errors.slice(0, SHOWN).join('; ')}${more}` };
  } catch (error) {
    return { name, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

/** The checks of windows, events and embeddings. */
export async function checkRows(ask: Ask): Promise<Check[]> {
  return [
    await attempt('windows', async () => [...(await overlappingWindows(ask)), ...(await missingWindows(ask))]),
    await attempt('events', () => strayEvents(ask)),
    await attempt('embeddings', () => badEmbeddings(ask)),
  ];
}

async function overlappingWindows(ask: Ask): Promise<string[]> {
  const rows = await ask<{ id: string; layer: string; window_index: number; end_s: number; next_s: number }>(
    `SELECT * FROM (
       SELECT video.id, layer, window_index, end_s, lead(start_s) OVER (PARTITION BY video_key, layer ORDER BY window_index) AS next_s
       FROM segment JOIN video ON video.key = segment.video_key
     ) AS followed WHERE next_s < end_s - @touch`,
    { touch: TOUCH_S },
  );
  return rows.map(
    (row) => `${row.layer} ${row.window_index} of ${row.id} ends at ${row.end_s} s, the next begins at ${row.next_s} s`,
  );
}

/** A video that is ready has its windows from 0 without a gap. */
async function missingWindows(ask: Ask): Promise<string[]> {
  const rows = await ask<{ id: string; n: number; last: number }>(
    `SELECT video.id, count(*) AS n, max(window_index) AS last FROM segment JOIN video ON video.key = segment.video_key
     WHERE video.state = 'ready' AND layer = 'windows' GROUP BY video.key, video.id HAVING count(*) <> max(window_index) + 1`,
  );
  return rows.map((row) => `${row.id} is ready with ${row.n} of ${row.last + 1} windows`);
}

/** A video whose duration is not known yet (0) is left out. */
async function strayEvents(ask: Ask): Promise<string[]> {
  const rows = await ask<{
    id: string;
    layer: string;
    window_index: number;
    position: number;
    start_s: number;
    end_s: number;
    duration_s: number;
  }>(
    `SELECT video.id, layer, window_index, position, start_s, end_s, duration_s FROM event JOIN video ON video.key = event.video_key
     WHERE duration_s > 0 AND (start_s < 0 OR end_s > duration_s + @touch) LIMIT 1000`,
    { touch: TOUCH_S },
  );
  return rows.map(
    (row) =>
      `event ${row.position} of ${row.layer} ${row.window_index} of ${row.id} spans ${row.start_s}..${row.end_s} s of a video of ${row.duration_s} s`,
  );
}

async function badEmbeddings(ask: Ask): Promise<string[]> {
  const rows = await ask<{ id: number }>(
    `SELECT embedding.id FROM embedding JOIN embedder ON embedder.key = embedding.embedder_key
     WHERE embedding.dim <> embedder.dim OR length(vec) <> 4 * embedder.dim LIMIT 1000`,
  );
  const wrong = rows.map((row) => `embedding ${row.id} has another length than its embedder`);
  const [newest] = await ask<{ gen: number | null; generation: number }>(
    "SELECT (SELECT max(gen) FROM embedding) AS gen, value AS generation FROM meta WHERE key = 'vec_generation'",
  );
  return newest && (newest.gen ?? 0) > newest.generation
    ? [...wrong, `an embedding is of generation ${newest.gen}, the library of ${newest.generation}`]
    : wrong;
}

/** No file is in order too: the index is derived. A file that would be refused is not, since it takes space and is never used. */
export async function checkVectorFile(source: HnswSource, files: HnswFiles): Promise<Check> {
  const name = 'vector index';
  const { embedderId } = source;
  const generation = await source.generation();
  const found = await files.verified({ generation, token: await source.indexToken() });
  if ('manifest' in found) {
    const detail = `generation ${found.manifest.generation} of ${generation}, ${found.manifest.count} embeddings of ${embedderId}`;
    return { name, ok: true, detail };
  }
  const absent = found.refused === 'no index file';
  const advice = absent ? 'search is exact' : 'search does not use it; run `longwatch rebuild-index`';
  return { name, ok: absent, detail: `${found.refused} for ${embedderId}; ${advice}` };
}
