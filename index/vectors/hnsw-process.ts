/** Entry of the process that builds and checks graphs. It talks to `hnsw-task.ts` and lives for one task. */

import { setPriority } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { isPostgresAddress } from '../../src/library-address.js';
import { Database } from '../store/database.js';
import { Embeddings } from '../store/embeddings.js';
import { HnswGraph, MAX_LABEL } from './hnsw.js';
import { type GraphFacts, syncAndMeasure } from './hnsw-file.js';
import type { HnswReply, HnswTask } from './hnsw-task.js';

const BATCH_ROWS = 500;
/** Behind everything that a person waits for. */
const LOW_PRIORITY = 10;

process.once('disconnect', () => process.exit(1));
process.once('message', (message) => {
  void answer(message as HnswTask).then((reply) => {
    process.send?.(reply, () => process.exit('failed' in reply ? 1 : 0));
  });
});

async function answer(task: HnswTask): Promise<HnswReply> {
  try {
    if (task.task === 'build') return { facts: await build(task) };
    await check(task.file, task.dim);
    return {};
  } catch (error) {
    return { failed: error instanceof Error ? error.message : String(error) };
  }
}

async function build({ library, embedderId, output, base }: HnswTask & { task: 'build' }): Promise<GraphFacts> {
  setPriority(LOW_PRIORITY);
  const { source, close } = await openSource(library, embedderId);
  if (!source) throw new Error(`the library has no embeddings of ${embedderId}`);
  // Rows that come after this moment have a larger id and a later generation: the reader of the file adds them.
  const { generation, count, newest } = await source.state();
  if (newest > MAX_LABEL) throw new Error(`embedding ${newest} is larger than a label of the index may be`);
  const graph = base ? await HnswGraph.read(base.file, source.dim) : await HnswGraph.create(source.dim, count);
  let maxId = base?.maxId ?? 0;
  for (let more = true; more; await nextTurn()) {
    const rows = (await source.rowsAfter(maxId, BATCH_ROWS)).filter((row) => row.id <= newest);
    for (const { id, vector } of rows) {
      graph.add(id, vector);
      maxId = id;
    }
    more = rows.length > 0;
  }
  await close();
  graph.write(output);
  const measured = syncAndMeasure(output);
  await check(output, source.dim, graph.points);
  return { generation, count: graph.points, maxId, ...measured };
}

/** The rows of an embedder where they lie. */
async function openSource(library: string, embedderId: string) {
  if (isPostgresAddress(library)) {
    const { openDatabase } = await import('../postgres/open-database.js');
    const { embeddingSource } = await import('../postgres/embeddings.js');
    const db = await openDatabase(library, { readonly: true });
    return { source: await embeddingSource(db, embedderId), close: () => db.close() };
  }
  const db = Database.open(library, { readonly: true });
  return { source: new Embeddings(db).source(embedderId), close: async () => db.close() };
}

/** A graph whose every point can be read, and from which searches start that end. Broken links end this process. */
async function check(file: string, dim: number, points?: number): Promise<void> {
  const graph = await HnswGraph.read(file, dim);
  if (points !== undefined && graph.points !== points) {
    throw new Error(`${graph.points} of ${points} points were written`);
  }
  const probes = Math.max(1, Math.floor(graph.labels.size / 200));
  let i = 0;
  for (const id of graph.labels) {
    if (i++ % probes === 0) graph.search(Float32Array.from(graph.vector(id)), 10);
  }
}
