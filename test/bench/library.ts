/**
 * How a large library answers: `npm run bench:library [-- --segments N] [--signals N] [--cache DIR] [--seconds N] [--only PART,...]`.
 *
 * The library is drawn (`drawn-library.ts`) and kept in the cache folder with its graph, so a second run only measures. Its vectors bear MiniLM's name, so that the real
 * server, with MiniLM, does with them what it would do with others: what it finds by meaning is nonsense, what it costs is not. In this process the vectors of questions are
 * drawn like those of the library. Caches of the system are warm; on a busy machine only the processor time can be compared.
 */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LibraryReaders } from '../../index/readers/library-readers.js';
import { createSearcher } from '../../index/search/searcher.js';
import type { SearchRequest } from '../../index/search/types.js';
import { Database } from '../../index/store/database.js';
import { Embeddings } from '../../index/store/embeddings.js';
import { DATABASE_FILE, openLibrary } from '../../index/store/sqlite-library.js';
import { dot, Nearest } from '../../index/vectors/vector.js';
import { loadConfig } from '../../src/config.js';
import { openEngine } from '../../src/main.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import { MINILM_SCALE } from '../../src/meaning/minilm.js';
import { DIM, DrawnWorld, drawnLibrary, EMBEDDER, filmsOf, randomFrom } from './drawn-library.js';
import { gauges, serve } from './served.js';

const { values } = parseArgs({
  options: {
    segments: { type: 'string', default: '100000' },
    signals: { type: 'string', default: '3' },
    cache: { type: 'string', default: path.join(os.tmpdir(), 'longwatch-bench') },
    seconds: { type: 'string', default: '10' },
    only: { type: 'string', default: 'starts,searches,recall,listings,server' },
    /** Measures one start in a process of its own. */
    cold: { type: 'string' },
  },
});
const QUESTIONS = 60;
const CONNECTIONS = 50;
const world = new DrawnWorld();

/** Vectors as the library's are drawn, the same for the same question. */
const embedder: Embedder = {
  id: EMBEDDER,
  dim: DIM,
  scale: MINILM_SCALE,
  embed: async (texts) =>
    texts.map((text) => {
      const random = randomFrom([...text].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) >>> 0, 7));
      return world.vector(world.topicsOfVideo(random).slice(0, 2), random);
    }),
  close: async () => {},
};

if (values.cold === undefined) await bench();
else console.log(JSON.stringify(await coldStart(values.cold)));

async function bench(): Promise<void> {
  mkdirSync(values.cache, { recursive: true });
  const directory = drawnLibrary(values.cache, Number(values.segments), Number(values.signals), world);
  console.log(
    `${os.cpus().length} x ${os.cpus()[0]?.model.trim()}, Node ${process.versions.node}, load average ${os.loadavg()[0]?.toFixed(1)}`,
  );
  const library = openLibrary(directory);
  const { videos, segments, events, embeddings } = library.stats();
  const counts = [`${videos} videos`, `${segments} segments`, `${events} events`, `${embeddings} embeddings`];
  console.log(`${counts.join(', ')}; ${megabytes(statSync(path.join(directory, DATABASE_FILE)).size)} of database\n`);
  await library.nearest(EMBEDDER, await vectorOf('a question'), 10);
  if ((await library.vectorIndexStatus())[0]?.kind !== 'hnsw') {
    const [, took] = await timed(() => library.rebuildIndex());
    console.log(`building and loading the graph: ${(took / 1000).toFixed(0)} s\n`);
  }
  console.log((await library.vectorIndexStatus())[0]?.reason);
  await library.close();
  const parts = {
    starts: printStarts,
    searches: printSearches,
    recall: printRecall,
    listings: printListings,
    server: printServer,
  };
  for (const [name, print] of Object.entries(parts)) if (values.only.split(',').includes(name)) await print(directory);
}

async function printStarts(directory: string): Promise<void> {
  console.log('\n| start | open | first search | together | peak RSS |\n| --- | ---: | ---: | ---: | ---: |');
  for (const kind of ['own thread', 'reader threads']) {
    const args = [fileURLToPath(import.meta.url), '--cold', `${kind}:${directory}`];
    const { opened, answered, rss } = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' }));
    console.log(`| ${kind} | ${ms(opened)} | ${ms(answered - opened)} | ${ms(answered)} | ${megabytes(rss)} |`);
  }
}

async function coldStart(what: string) {
  const [kind, directory = ''] = what.split(':');
  const begun = performance.now();
  const library = openLibrary(directory);
  const opened = performance.now() - begun;
  const readers = kind === 'own thread' ? undefined : new LibraryReaders(library);
  const searcher = createSearcher({ library, embedder, ...(readers ? { retrieval: readers } : {}) });
  await searcher.search({ query: world.caption([1], randomFrom(3)) });
  const answered = performance.now() - begun;
  const rss = process.resourceUsage().maxRSS * 1024;
  await readers?.close();
  await library.close();
  return { opened, answered, rss };
}

/** What is asked: of each kind so many different questions. */
function questionKinds(directory: string): readonly (readonly [string, readonly SearchRequest[]])[] {
  const db = Database.open(path.join(directory, DATABASE_FILE), { readonly: true });
  const ids = db.column<string>('SELECT id FROM video ORDER BY key');
  const captions = db.column<string>(
    "SELECT text FROM event WHERE source = 'model' AND key IN (SELECT key FROM event ORDER BY key LIMIT 1 OFFSET @at)",
    { at: 0 },
  );
  const captionAt = (part: number) =>
    db.column<string>("SELECT text FROM event WHERE key >= @key AND source = 'model' ORDER BY key LIMIT 1", {
      key: Math.floor(part * (db.column<number>('SELECT max(key) FROM event')[0] ?? 1)),
    })[0] ??
    captions[0] ??
    '';
  const random = randomFrom(31);
  const topic = () => Math.floor(random() * 400);
  const several = (length: number) => Array.from({ length: QUESTIONS }, length > 0 ? drawnQuestion(length) : () => '');
  function drawnQuestion(length: number) {
    return () => {
      const own = topic();
      return Array.from({ length }, (_, n) =>
        n % 2 === 0 ? world.topicWord(own, Math.floor(random() * 30)) : world.word(Math.floor(300 ** random())),
      ).join(' ');
    };
  }
  const video = () => ids[Math.floor(random() * ids.length)] as string;
  const start = () => Math.floor(random() * 3000);
  const asked = (queries: readonly string[], filters: () => Partial<SearchRequest> = () => ({})) =>
    queries.map((query): SearchRequest => ({ query, ...filters() }));
  const range = () => {
    const from = start();
    return { range: { start: from, end: from + 300 } };
  };
  const kinds: readonly (readonly [string, readonly SearchRequest[]])[] = [
    ['four words', asked(several(4))],
    ['nine words', asked(several(9))],
    [
      'a rare word',
      asked(Array.from({ length: QUESTIONS }, () => world.topicWord(topic(), 40 + Math.floor(random() * 40)))),
    ],
    ['a common word', asked(Array.from({ length: QUESTIONS }, (_, n) => world.word(n % 8)))],
    ['a signal: "cut"', asked(Array.from({ length: QUESTIONS }, () => 'cut'))],
    [
      'a phrase',
      asked(Array.from({ length: QUESTIONS }, () => `"${captionAt(random()).split(' ').slice(2, 4).join(' ')}"`)),
    ],
    ['no word that is there', asked(Array.from({ length: QUESTIONS }, (_, n) => `qqxzz${n} wwyyx${n}`))],
    ['four words in a video', asked(several(4), () => ({ videoIds: [video()] }))],
    ['four words in a range of time', asked(several(4), range)],
    ['four words in a range of a video', asked(several(4), () => ({ videoIds: [video()], ...range() }))],
  ];
  db.close();
  return kinds;
}

async function printSearches(directory: string): Promise<void> {
  console.log('\n| search | answered | p50 | p95 | processor time |\n| --- | ---: | ---: | ---: | ---: |');
  const library = openLibrary(directory);
  const readers = new LibraryReaders(library);
  const searcher = createSearcher({ library, embedder, retrieval: readers });
  const kinds = questionKinds(directory);
  // Opens what is opened at the first question.
  await searcher.search({ query: 'a question' });
  for (const [name, requests] of kinds) {
    const cpu = process.cpuUsage();
    const times: number[] = [];
    let answered = 0;
    for (const request of requests) {
      const [answer, took] = await timed(() => searcher.search(request));
      times.push(took);
      if (!answer.noMatch) answered++;
    }
    const { user, system } = process.cpuUsage(cpu);
    const each = (user + system) / 1000 / requests.length;
    console.log(
      `| ${name} | ${answered} of ${requests.length} | ${ms(quantile(times, 0.5))} | ${ms(quantile(times, 0.95))} | ${ms(each)} |`,
    );
  }
  await readers.close();
  await library.close();
}

async function printRecall(directory: string): Promise<void> {
  const library = openLibrary(directory, { readonly: true });
  const vectors = await Promise.all(Array.from({ length: QUESTIONS }, (_, n) => vectorOf(`recall ${n}`)));
  const db = Database.open(path.join(directory, DATABASE_FILE), { readonly: true });
  const source = new Embeddings(db).source(EMBEDDER);
  if (!source) throw new Error('The library has no embeddings.');
  const exact = vectors.map(() => new Nearest(200));
  for (let after = 0; ; ) {
    const ids = db.column<number>('SELECT id FROM embedding WHERE id > @after ORDER BY id LIMIT 5000', { after });
    if (ids.length === 0) break;
    for (const [id, vector] of source.vectors(ids))
      for (const [n, asked] of vectors.entries()) exact[n]?.offer(id, dot(asked, vector));
    after = ids.at(-1) as number;
  }
  const idOf = new Map<string, number>();
  const eventOf = new Embeddings(db).events(exact.flatMap((list) => list.toArray().map(({ id }) => id)));
  for (const [id, event] of eventOf) idOf.set(event.id, id);
  let ten = 0;
  let all = 0;
  for (const [n, vector] of vectors.entries()) {
    const found = new Set((await library.nearest(EMBEDDER, vector, 200)).map(({ event }) => idOf.get(event.id)));
    const truth = exact[n]?.toArray() ?? [];
    ten += truth.slice(0, 10).filter(({ id }) => found.has(id)).length;
    all += truth.filter(({ id }) => found.has(id)).length;
  }
  console.log(
    `\n${(await library.vectorIndexStatus())[0]?.kind}: recall@10 ${(ten / vectors.length / 10).toFixed(4)}, recall@200 ${(all / vectors.length / 200).toFixed(4)}, ${vectors.length} questions`,
  );
  db.close();
  await library.close();
}

async function printListings(directory: string): Promise<void> {
  console.log('\n| reading | median of 20 |\n| --- | ---: |');
  const engine = await openEngine(loadConfig({ library: directory }), { create: false });
  const { library } = engine;
  const { items } = await library.listVideos();
  const id = items.at(-1)?.id ?? '';
  const second = (await library.events(id, { limit: 100 })).nextCursor;
  const row = async (name: string, work: () => unknown, times = 20) => {
    const took: number[] = [];
    for (let i = 0; i < times; i++) took.push((await timed(async () => work()))[1]);
    console.log(`| ${name} | ${ms(quantile(took, 0.5))} |`);
  };
  await row('first page of videos (100)', () => library.listVideos());
  await row('first page of events (100)', () => library.events(id));
  await row('next page of events', () => library.events(id, second === undefined ? {} : { cursor: second }));
  await row('events in the last 10 s', () => library.events(id, { range: { start: 3590, end: 3600 } }));
  await row('timeline of a video in 200 parts', () => library.timeline(id, { start: 0, end: 3600 }, 18));
  await row('counts of the library', () => library.stats());
  const films = filmsOf(values.cache, Number(values.segments));
  mkdirSync(films, { recursive: true });
  for (const { path: file } of await library.videoFiles()) {
    if (!existsSync(file)) writeFileSync(file, 'x');
    utimesSync(file, 0.001, 0.001);
  }
  const files = (await library.videoFiles()).length;
  await row(
    `scan of the folder of its ${files} files`,
    async () => {
      const { known, jobs } = await engine.watch({ rules: [{ dir: films, include: [], exclude: [] }] }).once();
      if (known !== files || jobs.length > 0) throw new Error(`${known} of ${files} files were known.`);
    },
    3,
  );
  await engine.close();
}

/** 50 clients that ask again as soon as they are answered, each time something else. */
async function printServer(directory: string): Promise<void> {
  const { child, url } = await serve(directory);
  console.log(
    '\n| 50 clients | answers a second | p50 | p95 | p99 | failed | event loop late by, p50, p95, p99, worst | processor time | RSS |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
  );
  const kinds = questionKinds(directory).map(([name, requests]) => [name, requests.map(({ query }) => query)] as const);
  const of = (name: string) => kinds.find(([kind]) => kind === name)?.[1] ?? [];
  const [video] = ((await (await fetch(`${url}/v1/videos`)).json()) as { items: { id: string }[] }).items;
  let number = 0;
  const next = (queries: readonly string[], fresh: boolean) => () => {
    const query = `${queries[number % queries.length]}${fresh ? ` ${world.word(1000 + (number % 20_000))}` : ''}`;
    number++;
    return `/v1/search?q=${encodeURIComponent(query)}`;
  };
  const cases: readonly (readonly [string, () => string])[] = [
    ['four words, each question new', next(of('four words'), true)],
    ['four words, 60 questions again and again', next(of('four words'), false)],
    ['a common word beside a new one', next(of('a common word'), true)],
    ['no word that is there', next(of('no word that is there'), false)],
    ['first page of videos', () => '/v1/videos'],
    ['first page of events', () => `/v1/videos/${video?.id}/events`],
  ];
  for (const [name, address] of cases) {
    await (await fetch(url + address())).text();
    const before = await gauges(url);
    const times: number[] = [];
    let failed = 0;
    const agent = new http.Agent({ keepAlive: true, maxSockets: CONNECTIONS });
    const until = performance.now() + Number(values.seconds) * 1000;
    await Promise.all(
      Array.from({ length: CONNECTIONS }, async () => {
        while (performance.now() < until) {
          const [ok, took] = await timed(() => ask(url + address(), agent));
          times.push(took);
          if (!ok) failed++;
        }
      }),
    );
    agent.destroy();
    const after = await gauges(url);
    const late = ['0.5', '0.95', '0.99', '1'].map(
      (q) => after(`longwatch_event_loop_delay_seconds{quantile="${q}"}`) * 1000,
    );
    const cpu = ((after('process_cpu_seconds_total') - before('process_cpu_seconds_total')) / times.length) * 1000;
    const cells = [
      name,
      (times.length / Number(values.seconds)).toFixed(0),
      ...[0.5, 0.95, 0.99].map((q) => ms(quantile(times, q))),
      `${failed} of ${times.length}`,
      `${late.map((delay) => delay.toFixed(0)).join(', ')} ms`,
      ms(cpu),
      megabytes(after('process_resident_memory_bytes')),
    ];
    console.log(`| ${cells.join(' | ')} |`);
  }
  child.kill('SIGTERM');
}

function ask(address: string, agent: http.Agent): Promise<boolean> {
  return new Promise((resolve) => {
    http
      .get(address, { agent }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode === 200));
      })
      .once('error', () => resolve(false));
  });
}

async function vectorOf(text: string): Promise<Float32Array> {
  const [vector] = await embedder.embed([text]);
  if (!vector) throw new Error('There is no vector.');
  return vector;
}

async function timed<T>(work: () => Promise<T>): Promise<readonly [T, number]> {
  const begun = performance.now();
  return [await work(), performance.now() - begun];
}

function quantile(times: readonly number[], part: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6)} MB`;
}
