/**
 * How well the nano model tells which of its sentences a question means, by the states that search compares; and the scale that its config.json
 * carries as `longwatch.meaning`. Run: `npm run eval:meaning -- [--model DIR] [--films N] [--write]`.
 *
 * Questions of every form about held-out films, each beside every sentence and every caption of all of them; which it means is known from
 * the world, not from its words. The cutoff is where precision and recall together (F1) are best.
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { seededRandom } from '../../fixtures/film/random.js';
import { looksOf } from '../../fixtures/world/film/readings.js';
import { type Happening, sceneSentence, sentenceOf } from '../../fixtures/world/lexicon.js';
import { type Query, queryFor, queryForNone } from '../../fixtures/world/query.js';
import { writeWorld } from '../../fixtures/world/world.js';
import { trainedModelEmbedder } from '../../src/meaning/model-embedder.js';
import { buildModel } from '../../src/qwen/build.js';
import { LocalBackend } from '../../src/qwen/local-backend.js';
import { QwenRuntime } from '../../src/qwen/runtime.js';
import { HELD_OUT_SEED } from './nano-windows.js';

const FILM_SECONDS = 120;
const BATCH = 32;
const STEPS = 400;

interface Pair {
  readonly cosine: number;
  readonly same: boolean;
}

/** Every question with every sentence of `films` films. */
async function comparePairs(embed: (texts: readonly string[]) => Promise<Float32Array[]>, films: number) {
  const happenings = new Map<string, Happening>();
  const captions = new Set<string>();
  const queries = new Map<string, Query>();
  for (let film = 0; film < films; film++) {
    const seed = HELD_OUT_SEED * 1000 + film;
    const world = writeWorld({ seed, duration: FILM_SECONDS, aspect: 4 / 3 });
    const random = seededRandom(seed);
    const own = world.events.map(({ happening }) => happening);
    for (const happening of own) {
      happenings.set(sentenceOf(happening), happening);
      const query = queryFor(happening, random);
      queries.set(query.text, query);
    }
    const none = queryForNone(own, random);
    if (none) queries.set(none.text, none);
    for (const scene of world.scenes) captions.add(sceneSentence(looksOf(scene)));
  }
  const vectors = async (texts: readonly string[]) => {
    const all: Float32Array[] = [];
    for (let at = 0; at < texts.length; at += BATCH) all.push(...(await embed(texts.slice(at, at + BATCH))));
    return all;
  };
  const asked = await vectors([...queries.keys()]);
  const said = await vectors([...happenings.keys(), ...captions]);
  const of = [...happenings.values()];
  const pairs: Pair[] = [];
  for (const [i, query] of [...queries.values()].entries())
    for (const [j, sentence] of said.entries()) {
      const happening = of[j];
      const same = happening !== undefined && query.means(happening);
      pairs.push({ cosine: dot(asked[i] as Float32Array, sentence), same });
    }
  return { pairs, queries: queries.size, sentences: said.length };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] as number), 0);
}

function scoreAt(pairs: readonly Pair[], cutoff: number) {
  const kept = pairs.filter(({ cosine }) => cosine >= cutoff);
  const right = kept.filter(({ same }) => same).length;
  const all = pairs.filter(({ same }) => same).length;
  const precision = kept.length === 0 ? 1 : right / kept.length;
  const recall = right / all;
  return { cutoff, precision, recall, f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      model: { type: 'string', default: path.join('fixtures', 'models', 'nano', 'weights') },
      films: { type: 'string', default: '20' },
      write: { type: 'boolean', default: false },
    },
  });
  const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-meaning-'));
  const built = path.join(folder, 'nano');
  await buildModel(values.model, built, { dtype: 'fp32', selfTest: false });
  const backend = new LocalBackend('nano', await QwenRuntime.open(built));
  try {
    const embedder = trainedModelEmbedder(backend, 'no build', { unrelated: 0, match: 0.5, same: 1 });
    const { pairs, queries, sentences } = await comparePairs((texts) => embedder.embed(texts), Number(values.films));
    const mean = (of: readonly Pair[]) => of.reduce((sum, { cosine }) => sum + cosine, 0) / of.length;
    const unrelated = mean(pairs.filter(({ same }) => !same));
    const same = mean(pairs.filter((pair) => pair.same));
    const cutoffs = Array.from({ length: STEPS }, (_, i) => scoreAt(pairs, (i + 1) / STEPS));
    const best = cutoffs.reduce((a, b) => (b.f1 > a.f1 ? b : a));
    process.stdout.write(
      `${queries} questions, ${sentences} sentences; mean cosine ${same.toFixed(3)} of those that are meant, ${unrelated.toFixed(3)} of others\n`,
    );
    for (const row of [...cutoffs.filter((_, i) => i % 40 === 39), best])
      process.stdout.write(
        `cutoff ${row.cutoff.toFixed(3)}  precision ${row.precision.toFixed(3)}  recall ${row.recall.toFixed(3)}  F1 ${row.f1.toFixed(3)}\n`,
      );
    const round = (value: number) => Math.round(value * 1000) / 1000;
    const meaning = {
      unrelated: round(unrelated),
      match: round(best.cutoff),
      same: round(Math.max(same, best.cutoff + 0.01)),
    };
    process.stdout.write(`${JSON.stringify(meaning)}\n`);
    if (values.write) {
      const file = path.join(values.model, 'config.json');
      const config = JSON.parse(await readFile(file, 'utf8'));
      config.longwatch = { ...config.longwatch, meaning };
      await writeFile(file, `${JSON.stringify(config, null, 2)}\n`);
    }
  } finally {
    await backend.close();
    await rm(folder, { recursive: true, force: true });
  }
}

await main();
