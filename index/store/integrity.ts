/** Looks whether the library is what it should be. Repairs nothing. */

import type { FullText } from '../fulltext/full-text.js';
import type { IntegrityReport } from '../library.js';
import { HnswFiles } from '../vectors/hnsw-file.js';
import type { Database } from './database.js';
import type { Embeddings } from './embeddings.js';
import { attempt, type Check, checkRows, checkVectorFile, SHOWN } from './integrity-questions.js';

export interface IntegrityParts {
  readonly db: Database;
  readonly fullText: FullText;
  readonly embeddings: Embeddings;
  /** Where the vector index files lie. */
  readonly vectorFolder: string;
}

export async function checkIntegrity(parts: IntegrityParts): Promise<IntegrityReport> {
  const { db, fullText } = parts;
  const checks = [
    await attempt('database', () =>
      db
        .pragma<{ integrity_check: string }>(`integrity_check(${SHOWN})`)
        .map((row) => row.integrity_check)
        .filter((line) => line !== 'ok'),
    ),
    await attempt('references', () =>
      db
        .pragma<{ table: string; rowid: number | null; parent: string }>('foreign_key_check')
        .map((row) => `row ${row.rowid} of ${row.table} refers to nothing in ${row.parent}`),
    ),
    await attempt('full text', () => {
      if (db.readonly) return [];
      fullText.verify();
      return [];
    }),
    await attempt('counts', () => wrongCounts(db)),
    ...(await checkRows((sql, parameters) => db.all(sql, parameters))),
    ...(await vectorChecks(parts)),
  ];
  return { ok: checks.every((check) => check.ok), checks };
}

async function vectorChecks({ embeddings, vectorFolder }: IntegrityParts): Promise<Check[]> {
  try {
    const sources = embeddings.embedders().flatMap(({ id }) => embeddings.source(id) ?? []);
    return await Promise.all(
      sources.map((source) => checkVectorFile(source, new HnswFiles(vectorFolder, source.embedderId, source.dim))),
    );
  } catch {
    // A damaged database has been named by its own check.
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
