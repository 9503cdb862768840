/**
 * Search by vectors in PostgreSQL, and what partitions of its index cost and save: `npm run bench:shards [-- --segments N,...] [--partitions N,...] [--breadths N,...]
 * [--clients N,...] [--memory MB] [--only build,search,...]`.
 *
 * The server is one of its own, started from LONGWATCH_TEST_PGVECTOR (`scripts/pgvector/install.sh` prints it) in a temporary folder that goes away; `--memory` is its
 * `shared_buffers` and its `maintenance_work_mem`. Vectors are drawn as in `drawn-library.ts`: 384 numbers mixed from 32 hidden causes of 400 topics, and noise, from a seed. They stand in
 * the library's own tables, and the index is made and asked by the library's own code. Recall is against a comparison with every vector in this process. Processor time is that of
 * the server's processes, taken from /proc, so it holds on a busy machine; times by the clock do not.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Database } from '../../../index/postgres/database.js';
import { type EmbeddingSource, embeddingSource } from '../../../index/postgres/embeddings.js';
import { breadthFor, candidates, PointSearch } from '../../../index/postgres/point-search.js';
import { fillPoints, pointTable } from '../../../index/postgres/points.js';
import { connectPool } from '../../../index/postgres/pool.js';
import { prepareSchema } from '../../../index/postgres/schema.js';
import { fromBytes, toBytes } from '../../../index/store/embedding-row.js';
import { HnswGraph } from '../../../index/vectors/hnsw.js';
import { dot, Nearest } from '../../../index/vectors/vector.js';
import type { Milliseconds, Seconds } from '../../../src/time.js';
import { findPgvector, startCluster, stopCluster } from '../../index/postgres/cluster.js';
import { DIM, DrawnWorld, EMBEDDER, randomFrom } from '../drawn-library.js';

const { values } = parseArgs({
  options: {
    segments: { type: 'string', default: '100000' },
    partitions: { type: 'string', default: '1,4,16' },
    /** Candidates of one table; partitions share them as the library has it. The library's own number comes first. */
    breadths: { type: 'string', default: '64,128,256,512,1000' },
    clients: { type: 'string', default: '1,4' },
    memory: { type: 'string', default: '1024' },
    only: { type: 'string', default: 'exact,hnswlib,pgvector,scopes,churn' },
  },
});
const QUESTIONS = 100;
/** Of a question that wants every row compared: it is slow. */
const EXACT_QUESTIONS = 20;
const HITS = 10;
/** The library fetches as many again, see `point-search.ts`. */
const WANTED = 2 * HITS;
const WINDOWS_A_VIDEO = 120;
const BATCH = 1000;
/** A vector, 32 neighbours on the lowest level and few above it, its label. */
const HNSWLIB_BYTES = DIM * 4 + 33 * 4 + 16;
/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

const world = new DrawnWorld();
const found = findPgvector();
if ('missing' in found) throw new Error(found.missing);
const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-shards-'));
process.once('SIGINT', () => process.exit(130));
process.once('exit', () => {
  stopCluster(folder);
  rmSync(folder, { recursive: true, force: true });
});
await startCluster(folder, found, [
  ...[
    `shared_buffers=${values.memory}MB`,
    `maintenance_work_mem=${values.memory}MB`,
    'dynamic_shared_memory_type=mmap',
  ],
  ...['max_parallel_maintenance_workers=0', 'max_wal_size=2GB', 'checkpoint_timeout=1h'],
]);
const address = `postgres://longwatch@/postgres?host=${encodeURIComponent(folder)}`;
const db = new Database(connectPool(address, { readonly: false }), address, false);
await prepareSchema(db, { create: true });
await db.run('CREATE EXTENSION vector');
const versions = await db.get<{ server: string; pgvector: string }>(
  "SELECT current_setting('server_version') AS server, (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector",
);
console.log(
  `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, PostgreSQL ${versions?.server}, pgvector ${versions?.pgvector}, ${values.memory} MB, load average ${os.loadavg()[0]?.toFixed(1)}\n`,
);

const questions = drawQuestions();
const truth = questions.map(() => new Nearest(HITS));
const random = randomFrom(5);
let written = 0;
await db.run('INSERT INTO embedder (id, dim) VALUES (@id, @dim)', { id: EMBEDDER, dim: DIM });
const source = await onlySource();
const parts = new Set(values.only.split(','));

for (const segments of numbers(values.segments)) {
  await write(segments);
  console.log(
    `\n## ${segments.toLocaleString('en')} segments\n\n| index | building, processor time | bytes | candidates | recall@${HITS} | processor time | ${numbers(
      values.clients,
    )
      .map((clients) => `p50, p95 of ${clients}`)
      .join(' | ')} |\n| --- | ---: | ---: | ---: | ---: | ---: |${' ---: |'.repeat(numbers(values.clients).length)}`,
  );
  if (parts.has('hnswlib')) await benchHnswlib();
  for (const [n, partitions] of numbers(values.partitions).entries()) {
    if (parts.has('pgvector')) await benchPgvector(segments, partitions);
    if (n === 0 && parts.has('exact')) await benchExact();
    if (parts.has('scopes')) await benchScope(partitions);
    if (parts.has('churn')) await benchChurn(segments, partitions);
  }
}
await db.close();

async function onlySource(): Promise<EmbeddingSource> {
  const source = await embeddingSource(db, EMBEDDER);
  if (!source) throw new Error('The embedder is not there.');
  return source;
}

function drawQuestions(): readonly Float32Array[] {
  const asked = randomFrom(99);
  return Array.from({ length: QUESTIONS }, (_, n) =>
    world.vector(world.topicsOfVideo(asked).slice(0, 1 + (n % 2)), asked),
  );
}

/** Writes segments until there are so many: 120 to a video, each with one event that has a vector. */
async function write(segments: number): Promise<void> {
  let topics = world.topicsOfVideo(random);
  while (written < segments) {
    const vectors: Float32Array[] = [];
    const from = written;
    for (; written < Math.min(segments, from + BATCH * WINDOWS_A_VIDEO); written++) {
      if (written % WINDOWS_A_VIDEO === 0) topics = world.topicsOfVideo(random);
      const pick = () => topics[Math.floor(random() * topics.length)] ?? 0;
      vectors.push(world.vector(random() < 0.5 ? [pick()] : [pick(), pick()], random));
      if (vectors.length === BATCH) await writeBatch(written + 1 - BATCH, vectors.splice(0));
    }
    if (vectors.length > 0) await writeBatch(written - vectors.length, vectors);
  }
  await db.run('ANALYZE');
}

/** @param first number of the first one; the ids are one more, so that the truth is known without asking for them */
async function writeBatch(first: number, vectors: readonly Float32Array[]): Promise<void> {
  vectors.forEach((vector, i) => {
    questions.forEach((question, n) => {
      truth[n]?.offer(first + i + 1, dot(question, vector));
    });
  });
  const range = { first, last: first + vectors.length - 1 };
  await db.write(async (sql) => {
    await sql.run(
      `INSERT INTO video (key, id, sha256, path, title, size_bytes, modified_ms, added_ms, located_ms, state, duration_s, width, height, fps, container, codec,
         first_frame_s, coverage, warnings, stages, fingerprint)
       OVERRIDING SYSTEM VALUE SELECT n + 1, lpad(n::text, 12, '0'), lpad(n::text, 64, '0'), n::text, n::text, 1, 0, 0, 0, 'ready', 3600, 1, 1, '{}', '', '', 0, '[]', '[]', '{}', ''
       FROM generate_series(@first::bigint / ${WINDOWS_A_VIDEO}, @last::bigint / ${WINDOWS_A_VIDEO}) AS n ON CONFLICT DO NOTHING`,
      range,
    );
    await sql.run(
      `INSERT INTO segment (video_key, layer, window_index, start_s, end_s, activity, precision_s)
       SELECT n / ${WINDOWS_A_VIDEO} + 1, 'windows', n % ${WINDOWS_A_VIDEO}, n % ${WINDOWS_A_VIDEO} * 30, n % ${WINDOWS_A_VIDEO} * 30 + 30, 0, 0 FROM generate_series(@first::bigint, @last::bigint) AS n`,
      range,
    );
    await sql.run(
      `INSERT INTO event (key, video_key, layer, window_index, position, start_s, end_s, kind, source, precision_s, text, attributes, words, word_count)
       OVERRIDING SYSTEM VALUE SELECT n + 1, n / ${WINDOWS_A_VIDEO} + 1, 'windows', n % ${WINDOWS_A_VIDEO}, 0, n % ${WINDOWS_A_VIDEO} * 30, n % ${WINDOWS_A_VIDEO} * 30 + 30, 'caption', 'model', 0, 'x', '{}', '', 1
       FROM generate_series(@first::bigint, @last::bigint) AS n`,
      range,
    );
    await sql.run(
      `INSERT INTO embedding (id, event_key, embedder_key, dim, gen, vec) OVERRIDING SYSTEM VALUE
       SELECT @first::bigint + place, @first::bigint + place, @key, ${DIM}, 0, vec FROM unnest(@vec::bytea[]) WITH ORDINALITY AS given (vec, place)`,
      { first, key: source.key, vec: vectors.map(toBytes) },
    );
  });
}

async function benchPgvector(segments: number, partitions: number): Promise<void> {
  const before = serverCpu();
  const begun = performance.now();
  await db.atLength('write', (sql) =>
    // From twice as many rows on a table is divided.
    fillPoints(
      sql,
      { key: source.key, id: EMBEDDER, dim: DIM },
      partitions === 1 ? segments + 1 : segments / partitions,
    ),
  );
  const built = `${(serverCpu() - before).toFixed(0)} s (${((performance.now() - begun) / 1000).toFixed(0)} s)`;
  const bytes = await indexBytes();
  const own = breadthFor(segments, WANTED);
  for (const breadth of [own, ...numbers(values.breadths)]) {
    const search = (question: Float32Array) => db.read((sql) => candidates(sql, source, question, WANTED, breadth));
    const hits = async (question: Float32Array) => {
      const nearest = new Nearest(HITS);
      for (const { id, vec } of await search(question)) nearest.offer(id, dot(question, fromBytes(vec)));
      return nearest.toArray().map(({ id }) => id);
    };
    // Once without counting, so that the connections know the tables and the index is in memory.
    for (const question of questions) await hits(question);
    let right = 0;
    const cpu = serverCpu();
    for (const [n, question] of questions.entries()) right += inTruth(n, await hits(question));
    const each = ((serverCpu() - cpu) / questions.length) * 1000;
    const name = breadth === own ? `${breadth}, the library's` : String(breadth);
    console.log(
      `| pgvector, ${partitions === 1 ? 'one table' : `${partitions} partitions`} | ${built} | ${megabytes(bytes)} | ${name} | ${recall(right)} | ${each.toFixed(1)} ms | ${(await timesOf(hits)).join(' | ')} |`,
    );
  }
}

async function benchExact(): Promise<void> {
  const search = new PointSearch(db, source, { indexFromRows: Number.POSITIVE_INFINITY });
  const few = questions.slice(0, EXACT_QUESTIONS);
  const ask = async (question: Float32Array) => (await search.search(question, HITS)).map(({ id }) => id);
  let right = 0;
  const cpu = serverCpu();
  for (const [n, question] of few.entries()) right += inTruth(n, await ask(question));
  const each = ((serverCpu() - cpu) / few.length) * 1000;
  console.log(
    `| every row | | ${megabytes(await tableBytes())} | all | ${recall(right, few.length)} | ${each.toFixed(1)} ms | ${(await timesOf(ask, few)).join(' | ')} |`,
  );
}

/** What is asked within one video is compared with all that it has. */
async function benchScope(partitions: number): Promise<void> {
  const search = new PointSearch(db, source, { indexFromRows: 1 });
  const videos = Math.floor(written / WINDOWS_A_VIDEO);
  const ask = async (question: Float32Array) => {
    const video = Math.abs(Math.floor((question[0] ?? 0) * 1e6)) % videos;
    return (await search.search(question, HITS, { videoIds: [String(video).padStart(12, '0')] })).map(({ id }) => id);
  };
  for (const question of questions) await ask(question);
  const cpu = serverCpu();
  for (const question of questions) await ask(question);
  const each = ((serverCpu() - cpu) / questions.length) * 1000;
  console.log(
    `| within a video, ${partitions === 1 ? 'one table' : `${partitions} partitions`} | | | all of it | | ${each.toFixed(1)} ms | ${(await timesOf(ask)).join(' | ')} |`,
  );
}

/** A tenth of the points go, as if their videos had, then a vacuum; both undone by the next rebuild. */
async function benchChurn(segments: number, partitions: number): Promise<void> {
  const table = pointTable(source.key);
  let cpu = serverCpu();
  await db.run(`DELETE FROM ${table} WHERE (embedding_id / ${WINDOWS_A_VIDEO}) % 10 = 0`);
  const deleted = serverCpu() - cpu;
  const ask = async (question: Float32Array) =>
    (await db.read((sql) => candidates(sql, source, question, WANTED, breadthFor(segments, WANTED)))).map(
      ({ id }) => id,
    );
  cpu = serverCpu();
  let least = WANTED;
  for (const question of questions) least = Math.min(least, (await ask(question)).length);
  const each = ((serverCpu() - cpu) / questions.length) * 1000;
  cpu = serverCpu();
  await vacuum(table);
  const vacuumed = serverCpu() - cpu;
  console.log(
    `| a tenth deleted, ${partitions === 1 ? 'one table' : `${partitions} partitions`} | deleting ${deleted.toFixed(1)} s, VACUUM ${vacuumed.toFixed(1)} s | | the library's | at least ${least} of ${WANTED} before VACUUM | ${each.toFixed(1)} ms |${' |'.repeat(numbers(values.clients).length)}`,
  );
}

async function benchHnswlib(): Promise<void> {
  const cpu = process.cpuUsage();
  const graph = await HnswGraph.create(DIM, written);
  for (let after = 0; ; ) {
    const rows = await db.all<{ id: number; vec: Uint8Array }>(
      'SELECT id, vec FROM embedding WHERE id > @after ORDER BY id LIMIT 5000',
      { after },
    );
    for (const { id, vec } of rows) graph.add(id, fromBytes(vec));
    if (rows.length === 0) break;
    after = rows.at(-1)?.id ?? after;
  }
  const building = process.cpuUsage(cpu);
  let right = 0;
  const asking = process.cpuUsage();
  for (const [n, question] of questions.entries()) right += inTruth(n, graph.search(question, WANTED).slice(0, HITS));
  const each = process.cpuUsage(asking).user / 1000 / questions.length;
  console.log(
    `| hnswlib in the process | ${(building.user / 1e6).toFixed(0)} s | ${megabytes(written * HNSWLIB_BYTES)} | its own | ${recall(right)} | ${each.toFixed(1)} ms |${' |'.repeat(numbers(values.clients).length)}`,
  );
}

/** p50 and p95 of so many clients at once, each asking all questions. */
async function timesOf(
  ask: (question: Float32Array) => Promise<unknown>,
  asked: readonly Float32Array[] = questions,
): Promise<string[]> {
  const cells: string[] = [];
  for (const clients of numbers(values.clients)) {
    const times: Milliseconds[] = [];
    await Promise.all(
      Array.from({ length: clients }, async (_, client) => {
        for (let n = 0; n < asked.length; n++) {
          const question = asked[(n + client * 7) % asked.length];
          if (!question) continue;
          const begun = performance.now();
          await ask(question);
          times.push(performance.now() - begun);
        }
      }),
    );
    times.sort((a, b) => a - b);
    const at = (part: number) => (times[Math.floor(times.length * part)] ?? 0).toFixed(1);
    cells.push(`${at(0.5)}, ${at(0.95)} ms`);
  }
  return cells;
}

function inTruth(question: number, ids: readonly number[]): number {
  const wanted = new Set(truth[question]?.toArray().map(({ id }) => id));
  return ids.filter((id) => wanted.has(id)).length;
}

function recall(right: number, asked = QUESTIONS): string {
  return (right / asked / HITS).toFixed(4);
}

async function indexBytes(): Promise<number> {
  return sizeOf(
    `SELECT sum(pg_relation_size(indexrelid)) AS bytes FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_am ON pg_am.oid = relam
     WHERE amname = 'hnsw' AND indrelid::regclass::text LIKE '${pointTable(source.key)}%'`,
  );
}

async function tableBytes(): Promise<number> {
  return sizeOf(
    `SELECT sum(pg_table_size(oid)) AS bytes FROM pg_class WHERE relkind = 'r' AND oid::regclass::text LIKE '${pointTable(source.key)}%'`,
  );
}

async function sizeOf(sql: string): Promise<number> {
  return Number((await db.get<{ bytes: number }>(sql))?.bytes ?? 0);
}

/** No transaction may be around it. */
async function vacuum(table: string): Promise<void> {
  const pool = connectPool(address, { readonly: false });
  await pool.use(async (connection) => {
    await connection.query('SET statement_timeout = 0');
    await connection.query(`VACUUM ${table}`, [], true);
  });
  await pool.close();
}

/** Of the server with all its processes, those that ended too. */
function serverCpu(): Seconds {
  const [master = ''] = readFileSync(path.join(folder, 'data', 'postmaster.pid'), 'utf8').split('\n');
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ');
      // What has ended is in the sums of the one that all come from.
      if (pid === master) ticks += sum(fields.slice(11, 15));
      else if (fields[1] === master) ticks += sum(fields.slice(11, 13));
    } catch {
      // It ended meanwhile.
    }
  }
  return ticks / TICKS_PER_SECOND;
}

function sum(fields: readonly string[]): number {
  return fields.reduce((total, field) => total + Number(field), 0);
}

function numbers(list: string): number[] {
  return list.split(',').filter(Boolean).map(Number);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
