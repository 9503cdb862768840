import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { DATABASE_FILE, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { findHnsw } from '../../../index/vectors/hnsw.js';
import { runHnswTask } from '../../../index/vectors/hnsw-task.js';
import { latentVectors, newVideo, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

const hnsw = await findHnsw();
const needed = 'missing' in hnsw && !process.env['CI'] ? describe.skip : describe;
const DIM = 16;
const ROWS = 300;
const QUERY = latentVectors(1, DIM, 40)[0] as Float32Array;

function write(library: SqliteLibrary, window: number, count: number, seed: number): void {
  const events = latentVectors(count, DIM, seed).map((embedding, i) => ({
    event: subtitle(window * 10, window * 10 + 1, `line ${i}`),
    embedding,
  }));
  library.writeWindow(library.findVideo('/films/film.mp4').id, windowOf(window, events), 'e');
}

/** A closed library with a graph over `ROWS` rows. */
async function libraryWithGraph(directory = temporaryFolder(), seed = 1): Promise<string> {
  const library = temporaryLibrary({ directory, graphFromRows: 10 });
  library.addVideo(newVideo('film'));
  write(library, 0, ROWS, seed);
  await library.rebuildIndex();
  expect(await library.vectorIndexStatus()).toMatchObject([{ kind: 'hnsw', rows: ROWS }]);
  await library.close();
  return directory;
}

function filesOf(directory: string) {
  const folder = join(directory, 'vectors');
  const path = (end: string) => join(folder, readdirSync(folder).find((name) => name.endsWith(end)) ?? `none${end}`);
  return { folder, graph: path('.bin'), manifest: path('.json') };
}

function editManifest(manifest: string, change: Record<string, unknown>): void {
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), ...change }));
}

const ids = async (library: SqliteLibrary) => (await library.nearest('e', QUERY, 10)).map((hit) => hit.event.id);

/** What is on disk is untrusted. Each damage, and the words by which the status names it when nothing may be rebuilt. */
const DAMAGES: readonly [string, (files: ReturnType<typeof filesOf>) => void, string][] = [
  ['no manifest', ({ manifest }) => rmSync(manifest), 'no index file'],
  ['an empty manifest', ({ manifest }) => writeFileSync(manifest, ''), 'manifest is damaged'],
  ['a manifest that is no JSON', ({ manifest }) => writeFileSync(manifest, '{"format": 1,'), 'manifest is damaged'],
  ['a manifest that is a list', ({ manifest }) => writeFileSync(manifest, '[1, 2]'), 'manifest is damaged'],
  ['a manifest with a negative count', ({ manifest }) => editManifest(manifest, { count: -1 }), 'manifest is damaged'],
  ['a manifest of a later format', ({ manifest }) => editManifest(manifest, { format: 2 }), 'format 2'],
  ['a manifest of another embedder', ({ manifest }) => editManifest(manifest, { embedderId: 'f' }), 'other settings'],
  ['a manifest of another dimension', ({ manifest }) => editManifest(manifest, { dim: DIM * 2 }), 'other settings'],
  ['a manifest of other graph settings', ({ manifest }) => editManifest(manifest, { M: 32 }), 'other settings'],
  ['a manifest from the future', ({ manifest }) => editManifest(manifest, { generation: 999 }), 'store is older'],
  [
    'a manifest of another library',
    ({ manifest }) => editManifest(manifest, { token: 'x' }),
    'another state of the library',
  ],
  [
    'a manifest that counts wrongly',
    ({ manifest }) => editManifest(manifest, { count: 7 }),
    'another number of points',
  ],
  ['no graph', ({ graph }) => rmSync(graph), 'missing or has another size'],
  ['a folder for a graph', ({ graph }) => replaceByFolder(graph), 'missing or has another size'],
  ['an empty graph', ({ graph }) => truncateSync(graph, 0), 'missing or has another size'],
  [
    'a graph cut in half',
    ({ graph }) => truncateSync(graph, readFileSync(graph).length / 2),
    'missing or has another size',
  ],
  [
    'a graph with a byte too many',
    ({ graph }) => writeFileSync(graph, '\0', { flag: 'a' }),
    'missing or has another size',
  ],
  [
    'a graph of zeros',
    ({ graph }) => writeFileSync(graph, Buffer.alloc(readFileSync(graph).length)),
    'index file is damaged',
  ],
  ['a graph with a flipped header', ({ graph }) => flip(graph, 3), 'index file is damaged'],
  ['a graph with a flipped link', ({ graph }) => flip(graph, 120), 'index file is damaged'],
  [
    'a graph with a flipped last byte',
    ({ graph }) => flip(graph, readFileSync(graph).length - 1),
    'index file is damaged',
  ],
];

function replaceByFolder(file: string): void {
  rmSync(file);
  mkdirSync(file);
}

function flip(file: string, at: number): void {
  const bytes = readFileSync(file);
  bytes[at] = (bytes[at] as number) ^ 0xff;
  writeFileSync(file, bytes);
}

needed('the files of the graph', { timeout: 120_000 }, () => {
  it.each(DAMAGES)(
    'with %s are not used: answers stay exact, and the graph is made anew',
    async (_, damage, reason) => {
      const directory = await libraryWithGraph();
      const exact = temporaryLibrary({ directory });
      const truth = await ids(exact);
      damage(filesOf(directory));

      const readonly = temporaryLibrary({ directory, create: false, readonly: true, graphFromRows: 10 });
      expect(await ids(readonly)).toEqual(truth);
      await expect
        .poll(() => readonly.vectorIndexStatus(), { timeout: 20_000 })
        .toMatchObject([{ kind: 'exact', reason: expect.stringContaining(reason) }]);
      expect(await ids(readonly)).toEqual(truth);

      const library = temporaryLibrary({ directory, graphFromRows: 10 });
      expect(await ids(library)).toEqual(truth);
      await expect.poll(() => library.vectorIndexStatus(), { timeout: 20_000 }).toMatchObject([{ kind: 'hnsw' }]);
      expect(await ids(library)).toEqual(truth);
      expect((await library.check()).ok).toBe(true);
      expect(readdirSync(join(directory, 'vectors'))).toHaveLength(2);
    },
  );

  it('of another library with as many rows are not used', async () => {
    const mine = await libraryWithGraph(temporaryFolder(), 1);
    const foreign = await libraryWithGraph(temporaryFolder(), 2);
    const truth = await ids(temporaryLibrary({ directory: mine }));
    for (const kind of ['graph', 'manifest'] as const) copyFileSync(filesOf(foreign)[kind], filesOf(mine)[kind]);
    const library = temporaryLibrary({ directory: mine, create: false, readonly: true, graphFromRows: 10 });
    expect(await ids(library)).toEqual(truth);
    await expect
      .poll(() => library.vectorIndexStatus().then(([status]) => status?.reason))
      .toContain('another state of the library');
  });

  it('are not used after an older backup was put back, even when it has grown as far since', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory, graphFromRows: 10 });
    library.addVideo(newVideo('film'));
    write(library, 0, 50, 1);
    const backup = join(temporaryFolder(), 'backup.sqlite');
    await library.backup(backup);
    write(library, 1, 50, 2);
    await library.rebuildIndex();
    await library.close();
    copyFileSync(backup, join(directory, DATABASE_FILE));
    const restored = temporaryLibrary({ directory, graphFromRows: 10 });
    write(restored, 1, 50, 3);
    write(restored, 2, 50, 4);
    const truth = await ids(temporaryLibrary({ directory }));
    expect(await ids(restored)).toEqual(truth);
    await expect.poll(() => restored.vectorIndexStatus(), { timeout: 20_000 }).toMatchObject([{ kind: 'hnsw' }]);
    expect(await ids(restored)).toEqual(truth);
  });

  it('a graph whose bytes are as written but broken ends its own process, not ours', async () => {
    const directory = await libraryWithGraph();
    const { graph, manifest, folder } = filesOf(directory);
    const bytes = readFileSync(graph);
    // Links of the lowest level begin behind the header of 96 bytes: a count and 32 ids of four bytes each.
    bytes.fill(0x7f, 100, 96 + 4 + 128);
    writeFileSync(graph, bytes);
    editManifest(manifest, { sha256: createHash('sha256').update(bytes).digest('hex') });
    const signal = new AbortController().signal;
    await expect(runHnswTask({ task: 'check', file: graph, dim: DIM }, signal)).rejects.toMatchObject({
      code: 'internal',
    });
    // A process that died while loading leaves this mark, and the next one lets another process try first.
    writeFileSync(join(folder, manifest.replace(`${folder}/`, '').replace('.json', '.loading')), '1');
    const truth = await ids(temporaryLibrary({ directory }));
    const library = temporaryLibrary({ directory, create: false, readonly: true, graphFromRows: 10 });
    expect(await ids(library)).toEqual(truth);
    await expect
      .poll(() => library.vectorIndexStatus().then(([status]) => status?.reason), { timeout: 20_000 })
      .toContain('should check the vector index');
  });

  it('rows that came and went after the graph was written are taken into account on the next start', async () => {
    const directory = await libraryWithGraph();
    const library = temporaryLibrary({ directory, graphFromRows: 1000 });
    write(library, 1, 20, 8);
    write(library, 2, 5, 9);
    library.clearWindows(library.findVideo('/films/film.mp4').id);
    write(library, 0, 280, 10);
    write(library, 3, 30, 11);
    const truth = await ids(library);
    await library.close();
    const next = temporaryLibrary({ directory, graphFromRows: 10 });
    expect(await ids(next)).toEqual(truth);
    await expect.poll(() => next.vectorIndexStatus(), { timeout: 20_000 }).toMatchObject([{ kind: 'hnsw', rows: 310 }]);
    expect(await ids(next)).toEqual(truth);
  });

  it('the draft of a process that was killed is removed by the next one that builds', async () => {
    const directory = await libraryWithGraph();
    const { folder, manifest } = filesOf(directory);
    // Larger than any process id of Linux, macOS or Windows in use.
    writeFileSync(manifest.replace('.json', '.bin.tmp-2147483646'), 'half a graph');
    await temporaryLibrary({ directory, graphFromRows: 10 }).rebuildIndex();
    expect(readdirSync(folder)).toHaveLength(2);
  });

  it('a library that is closed while its graph is built ends at once and leaves no draft', async () => {
    const directory = temporaryFolder();
    const library = temporaryLibrary({ directory, graphFromRows: 10 });
    library.addVideo(newVideo('film'));
    for (let w = 0; w < 20; w++) write(library, w, 400, w);
    await library.nearest('e', QUERY, 5);
    await pause(150);
    await library.close();
    const folder = join(directory, 'vectors');
    expect(existsSync(folder) ? readdirSync(folder).filter((name) => name.includes('tmp')) : []).toEqual([]);
  });
});
