import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DATABASE_FILE, type SqliteLibrary } from '../../../index/store/sqlite-library.js';
import { findHnsw } from '../../../index/vectors/hnsw.js';
import { runHnswTask } from '../../../index/vectors/hnsw-task.js';
import {
  latentVectors,
  newVideo,
  randomFrom,
  subtitle,
  temporaryFolder,
  temporaryLibrary,
  windowOf,
} from '../support.js';

const hnsw = await findHnsw();
const needed = 'missing' in hnsw && !process.env['CI'] ? describe.skip : describe;
const DIM = 16;
const ROWS = 300;
/** Starting the process that builds takes most of a case, so not every one does. */
const REBUILT_EVERY = 4;
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

/** Two libraries with graphs, of which every case takes a copy, and what the first answers. */
const sound = mkdtempSync(join(tmpdir(), 'longwatch-graph-'));
const foreign = mkdtempSync(join(tmpdir(), 'longwatch-graph-'));
let truth: string[] = [];

const ids = async (library: SqliteLibrary) => (await library.nearest('e', QUERY, 10)).map((hit) => hit.event.id);

type Damage = (files: ReturnType<typeof filesOf>) => void;

const MANIFEST_FIELDS = [
  ...['format', 'embedderId', 'dim', 'metric', 'M', 'efConstruction'],
  ...['token', 'generation', 'count', 'maxId', 'bytes', 'sha256'],
];

/** What is on disk is untrusted. Each damage, and the words by which the status names it when nothing may be rebuilt. */
const DAMAGES: readonly (readonly [string, Damage, string])[] = [
  ['no manifest', ({ manifest }) => rmSync(manifest), 'no index file'],
  ['a link to nothing for a manifest', ({ manifest }) => replaceByLink(manifest, 'nowhere'), 'no index file'],
  ['a link to itself for a manifest', ({ manifest }) => replaceByLink(manifest, manifest), 'no index file'],
  ['no folder', ({ folder }) => rmSync(folder, { recursive: true }), 'no index file'],
  ...named('manifest is damaged', [
    ['a folder for a manifest', ({ manifest }) => replaceByFolder(manifest)],
    ['a pipe for a manifest', ({ manifest }) => replaceByPipe(manifest)],
    ['an endless manifest', ({ manifest }) => replaceByLink(manifest, '/dev/zero')],
    ['a graph for a manifest', ({ manifest, graph }) => copyFileSync(graph, manifest)],
    ['an empty manifest', ({ manifest }) => writeFileSync(manifest, '')],
    ['a manifest of zeros', ({ manifest }) => writeFileSync(manifest, Buffer.alloc(400))],
    ['a manifest cut in half', ({ manifest }) => truncateSync(manifest, statSync(manifest).size / 2)],
    ['a manifest that is no JSON', ({ manifest }) => writeFileSync(manifest, '{"format": 1,')],
    ['a manifest that is a list', ({ manifest }) => writeFileSync(manifest, '[1, 2]')],
    ['a manifest that is null', ({ manifest }) => writeFileSync(manifest, 'null')],
    ['a manifest with a negative count', ({ manifest }) => editManifest(manifest, { count: -1 })],
    ['a manifest with half a byte', ({ manifest }) => editManifest(manifest, { bytes: 0.5 })],
    ...MANIFEST_FIELDS.map((field): readonly [string, Damage] => [
      `a manifest without ${field}`,
      ({ manifest }) => editManifest(manifest, { [field]: undefined }),
    ]),
    ...MANIFEST_FIELDS.map((field): readonly [string, Damage] => [
      `a manifest with a list for ${field}`,
      ({ manifest }) => editManifest(manifest, { [field]: [] }),
    ]),
  ]),
  ['a manifest of a later format', ({ manifest }) => editManifest(manifest, { format: 2 }), 'format 2'],
  ...named('other settings', [
    ['a manifest of another embedder', ({ manifest }) => editManifest(manifest, { embedderId: 'f' })],
    ['a manifest of another dimension', ({ manifest }) => editManifest(manifest, { dim: DIM * 2 })],
    ['a manifest of another metric', ({ manifest }) => editManifest(manifest, { metric: 'l2' })],
    ['a manifest of other graph settings', ({ manifest }) => editManifest(manifest, { M: 32 })],
    ['a manifest of another construction', ({ manifest }) => editManifest(manifest, { efConstruction: 10 })],
  ]),
  ['a manifest from the future', ({ manifest }) => editManifest(manifest, { generation: 999 }), 'store is older'],
  ...named('another state of the library', [
    ['a manifest of another library', ({ manifest }) => editManifest(manifest, { token: 'x' })],
    ['the files of another library', (files) => copyFiles(foreign, files)],
    ['the manifest of another library', (files) => copyFileSync(filesOf(foreign).manifest, files.manifest)],
  ]),
  [
    'a manifest that counts wrongly',
    ({ manifest }) => editManifest(manifest, { count: 7 }),
    'another number of points',
  ],
  ...named('ends with another embedding', [
    ['a manifest that ends too early', ({ manifest }) => editManifest(manifest, { maxId: ROWS - 1 })],
    ['a manifest that ends too late', ({ manifest }) => editManifest(manifest, { maxId: ROWS + 1 })],
  ]),
  ...named('missing or has another size', [
    ['a manifest of an older generation', ({ manifest }) => editManifest(manifest, { generation: 0 })],
    ['a manifest of another size', ({ manifest }) => editManifest(manifest, { bytes: 1000 })],
    ['no graph', ({ graph }) => rmSync(graph)],
    ['a folder for a graph', ({ graph }) => replaceByFolder(graph)],
    ['a pipe for a graph', ({ graph }) => replaceByPipe(graph)],
    ['a link to nothing for a graph', ({ graph }) => replaceByLink(graph, 'nowhere')],
    ['a link to itself for a graph', ({ graph }) => replaceByLink(graph, graph)],
    ['a manifest for a graph', ({ manifest, graph }) => copyFileSync(manifest, graph)],
    ...[0, 1, 95, 96, 1000].map((size): readonly [string, Damage] => [
      `a graph of ${size} bytes`,
      ({ graph }) => truncateSync(graph, size),
    ]),
    ['a graph cut in half', ({ graph }) => truncateSync(graph, statSync(graph).size / 2)],
    ['a graph that lacks a byte', ({ graph }) => truncateSync(graph, statSync(graph).size - 1)],
    ['a graph with a byte too many', ({ graph }) => writeFileSync(graph, '\0', { flag: 'a' })],
    ['a graph twice', ({ graph }) => writeFileSync(graph, readFileSync(graph), { flag: 'a' })],
  ]),
  ...named('index file is damaged', [
    ['a graph of zeros', ({ graph }) => writeFileSync(graph, Buffer.alloc(statSync(graph).size))],
    ['a graph of noise', ({ graph }) => writeFileSync(graph, noise(statSync(graph).size))],
    ['the graph of another library', ({ graph }) => copyFileSync(filesOf(foreign).graph, graph)],
    ['a graph whose halves are swapped', ({ graph }) => swapHalves(graph)],
    ['a manifest of other bytes', ({ manifest }) => editManifest(manifest, { sha256: 'f'.repeat(64) })],
    ...[0, 3, 40, 95, 96, 120, 5000, -1].map((at): readonly [string, Damage] => [
      `a graph whose byte ${at} is flipped`,
      ({ graph }) => flip(graph, at < 0 ? statSync(graph).size + at : at),
    ]),
  ]),
];

function named(reason: string, damages: readonly (readonly [string, Damage])[]) {
  return damages.map(([name, damage]) => [name, damage, reason] as const);
}

function copyFiles(from: string, to: ReturnType<typeof filesOf>): void {
  for (const kind of ['graph', 'manifest'] as const) copyFileSync(filesOf(from)[kind], to[kind]);
}

function replaceByLink(file: string, target: string): void {
  rmSync(file);
  symlinkSync(target, file);
}

function replaceByPipe(file: string): void {
  rmSync(file);
  execFileSync('mkfifo', [file]);
}

function noise(size: number): Buffer {
  const random = randomFrom(3);
  return Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));
}

function swapHalves(file: string): void {
  const bytes = readFileSync(file);
  const middle = bytes.length >> 1;
  writeFileSync(file, Buffer.concat([bytes.subarray(middle), bytes.subarray(0, middle)]));
}

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
  beforeAll(async () => {
    for (const [directory, seed] of [
      [sound, 1],
      [foreign, 2],
    ] as const)
      await libraryWithGraph(directory, seed);
    truth = await ids(temporaryLibrary({ directory: sound, create: false, readonly: true }));
  });
  afterAll(() => {
    for (const directory of [sound, foreign]) rmSync(directory, { recursive: true, force: true });
  });

  const copyOfSound = () => {
    const directory = temporaryFolder();
    cpSync(sound, directory, { recursive: true });
    return directory;
  };

  it.each(DAMAGES)('with %s are not used, and answers are exact', async (_, damage, reason) => {
    const directory = copyOfSound();
    damage(filesOf(directory));
    const readonly = temporaryLibrary({ directory, create: false, readonly: true, graphFromRows: 10 });
    expect(await ids(readonly)).toEqual(truth);
    await expect
      .poll(() => readonly.vectorIndexStatus(), { timeout: 20_000 })
      .toMatchObject([{ kind: 'exact', reason: expect.stringContaining(reason) }]);
    expect(await ids(readonly)).toEqual(truth);
  });

  it.each(DAMAGES.filter((_, number) => number % REBUILT_EVERY === 0))(
    'with %s are made anew where the library may be written',
    async (_, damage) => {
      const directory = copyOfSound();
      damage(filesOf(directory));
      const library = temporaryLibrary({ directory, graphFromRows: 10 });
      expect(await ids(library)).toEqual(truth);
      await expect.poll(() => library.vectorIndexStatus(), { timeout: 20_000 }).toMatchObject([{ kind: 'hnsw' }]);
      expect(await ids(library)).toEqual(truth);
      expect((await library.check()).ok).toBe(true);
      expect(readdirSync(join(directory, 'vectors'))).toHaveLength(2);
    },
  );

  it('in a place where no folder can be are done without', async () => {
    const directory = copyOfSound();
    rmSync(join(directory, 'vectors'), { recursive: true });
    writeFileSync(join(directory, 'vectors'), 'somebody else');
    const library = temporaryLibrary({ directory, graphFromRows: 10 });
    expect(await ids(library)).toEqual(truth);
    await expect
      .poll(() => library.vectorIndexStatus().then(([status]) => status?.reason), { timeout: 20_000 })
      .toContain('EEXIST');
    expect(await ids(library)).toEqual(truth);
  });

  it('whose mark of a load that was not finished is a folder are loaded all the same', async () => {
    const directory = copyOfSound();
    const { manifest } = filesOf(directory);
    mkdirSync(manifest.replace('.json', '.loading'));
    const library = temporaryLibrary({ directory, graphFromRows: 10 });
    expect(await ids(library)).toEqual(truth);
    await expect.poll(() => library.vectorIndexStatus(), { timeout: 20_000 }).toMatchObject([{ kind: 'hnsw' }]);
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
