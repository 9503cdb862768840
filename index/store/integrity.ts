/** Looks whether the library is what it should be. Repairs nothing. */

import type { FullText } from '../fulltext/full-text.js';
import type { IntegrityReport } from '../library.js';
import { HnswFiles } from '../vectors/hnsw-file.js';
import type { Database } from './database.js';
import type { Embeddings } from './embeddings.js';

/** Errors that are shown of one kind; the rest are as many more of the same. */
const SHOWN = 5;
/** Ranges that touch may differ by this much after arithmetic on doubles. */
const TOUCH_S = 1e-6;

type Check = IntegrityReport['checks'][number];

export interface IntegrityParts {
  readonly db: Database;
  readonly fullText: FullText;
  readonly embeddings: Embeddings;
  /** Where the vector index files lie. */
  readonly vectorFolder: string;
}

export async function checkIntegrity(parts: IntegrityParts): Promise<IntegrityReport> {
  const { db, fullText, embeddings } = parts;
  const checks = [
    attempt('database', () =>
      db
        .pragma<{ integrity_check: string }>(`integrity_check(${SHOWN})`)
        .map((row) => row.integrity_check)
        .filter((line) => line !== 'ok'),
    ),
    attempt('references', () =>
      db
        .pragma<{ table: string; rowid: number | null; parent: string }>('foreign_key_check')
        .map((row) => `row ${row.rowid} of ${row.table} refers to nothing in ${row.parent}`),
    ),
    attempt('full text', () => {
      if (db.readonly) return [];
      fullText.verify();
      return [];
    }),
    attempt('counts', () => wrongCounts(db)),
    attempt('windows', () => [...overlappingWindows(db), ...missingWindows(db)]),
    attempt('events', () => strayEvents(db)),
    attempt('embeddings', () => badEmbeddings(db, embeddings)),
    ...(await Promise.all(attemptList(() => embeddings.embedders()).map(({ id }) => checkVectorIndex(parts, id)))),
  ];
  return { ok: checks.every((check) => check.ok), checks };
}

function attempt(name: string, findErrors: () => string[]): Check {
  try {
    const errors = findErrors();
    const more = errors.length > SHOWN ? ` and ${errors.length - SHOWN} more` : '';
    return errors.length === 0
      ? { name, ok: true, detail: `${name}: in order.` }
      : { name, ok: false, detail: `${name}: ${errors.slice(0, SHOWN).join('; ')}${more}.` };
  } catch (error) {
    return { name, ok: false, detail: `${name}: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function attemptList<T>(list: () => T[]): T[] {
  try {
    return list();
  } catch {
    return [];
  }
}

/** What triggers keep count of. */
function wrongCounts(db: Database): string[] {
  const rows = db.all<{ name: string; kept: number; counted: number }>(
    `SELECT 'events with words' AS name, (SELECT value FROM meta WHERE key = 'worded_events') AS kept, (SELECT count(*) FROM worded_event) AS counted
     UNION ALL SELECT 'windows', (SELECT value FROM meta WHERE key = 'windows'), (SELECT count(*) FROM segment WHERE layer = 'windows')
     UNION ALL SELECT 'embeddings of ' || id, rows, (SELECT count(*) FROM embedding WHERE embedder_key = embedder.key) FROM embedder
     UNION ALL SELECT 'events labelled ' || said.text, coalesce(label.uses, 0), said.n
       FROM (SELECT text, count(*) AS n FROM event WHERE source IN ('signal', 'picture') GROUP BY text) AS said
       LEFT JOIN label ON label.text = said.text
     UNION ALL SELECT 'labels', (SELECT count(*) FROM label), (SELECT count(DISTINCT text) FROM event WHERE source IN ('signal', 'picture'))`,
  );
  return rows
    .filter(({ kept, counted }) => kept !== counted)
    .map(({ name, kept, counted }) => `${name}: ${kept} by the library's count, ${counted} in it`);
}

function overlappingWindows(db: Database): string[] {
  const rows = db.all<{ id: string; layer: string; window_index: number; end_s: number; next_s: number }>(
    `SELECT * FROM (
       SELECT video.id, layer, window_index, end_s, lead(start_s) OVER (PARTITION BY video_key, layer ORDER BY window_index) AS next_s
       FROM segment JOIN video ON video.key = segment.video_key
     ) WHERE next_s < end_s - @touch`,
    { touch: TOUCH_S },
  );
  return rows.map(
    (row) => `${row.layer} ${row.window_index} of ${row.id} ends at ${row.end_s} s, the next begins at ${row.next_s} s`,
  );
}

/** A video that is ready has its windows from 0 without a gap. */
function missingWindows(db: Database): string[] {
  const rows = db.all<{ id: string; n: number; last: number }>(
    `SELECT video.id, count(*) AS n, max(window_index) AS last FROM segment JOIN video ON video.key = segment.video_key
     WHERE video.state = 'ready' AND layer = 'windows' GROUP BY video.key HAVING n <> last + 1`,
  );
  return rows.map((row) => `${row.id} is ready with ${row.n} of ${row.last + 1} windows`);
}

/** A video whose duration is not known yet (0) is left out. */
function strayEvents(db: Database): string[] {
  const rows = db.all<{
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

function badEmbeddings(db: Database, embeddings: Embeddings): string[] {
  const rows = db.all<{ id: number }>(
    `SELECT embedding.id FROM embedding JOIN embedder ON embedder.key = embedding.embedder_key
     WHERE embedding.dim <> embedder.dim OR length(vec) <> 4 * embedder.dim LIMIT 1000`,
  );
  const wrong = rows.map((row) => `embedding ${row.id} has another length than its embedder`);
  const newest = db.get<{ gen: number | null }>('SELECT max(gen) AS gen FROM embedding')?.gen ?? 0;
  const generation = embeddings.generation();
  return newest > generation
    ? [...wrong, `an embedding is of generation ${newest}, the library of ${generation}`]
    : wrong;
}

/** No file is in order too: the index is derived. A file that would be refused is not, since it takes space and is never used. */
async function checkVectorIndex({ embeddings, vectorFolder }: IntegrityParts, embedderId: string): Promise<Check> {
  const name = 'vector index';
  const source = embeddings.source(embedderId);
  if (!source) return { name, ok: true, detail: `${name}: none for ${embedderId}.` };
  const generation = source.generation();
  const found = await new HnswFiles(vectorFolder, embedderId, source.dim).verified({
    generation,
    token: source.indexToken(),
  });
  if ('manifest' in found) {
    const detail = `${name}: generation ${found.manifest.generation} of ${generation}, ${found.manifest.count} embeddings of ${embedderId}.`;
    return { name, ok: true, detail };
  }
  const absent = found.refused === 'no index file';
  const advice = absent ? 'search is exact' : 'search does not use it; run `longwatch rebuild-index`';
  return { name, ok: absent, detail: `${name}: ${found.refused} for ${embedderId}; ${advice}.` };
}
