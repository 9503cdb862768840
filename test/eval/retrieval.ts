/**
 * How well a search finds what is meant, stage by stage, what its cutoff costs, and whether its confidence is one. Run:
 * `npm run eval:retrieval -- [--published FOLDER] [--vectors FOLDER] [--fit]`.
 *
 * Sources: films written for this (fixtures/retrieval), films of the drawn world, and published questions about texts. Films of even position, the first
 * sixteen written ones and the drawn ones of the first seeds are for tuning: on them the cutoff, the weight of words and the confidence were chosen.
 * The others were never looked at for that, except the second sixteen written films, which were seen when the weight of words was chosen.
 */

import { parseArgs } from 'node:util';
import { FOREIGN_QUESTIONS } from '../../fixtures/retrieval/films.js';
import { SECOND_FILMS } from '../../fixtures/retrieval/second-films.js';
import { reliability } from '../../src/eval/metrics/reliability.js';
import type { Embedder } from '../../src/meaning/embedder.js';
import { openMiniLm } from '../../src/meaning/minilm.js';
import {
  confidenceBy,
  EVIDENCES,
  filmsOf,
  fitConfidence,
  type JudgedHit,
  judgedHits,
  wilson,
  writeMap,
} from './retrieval/confidence-fit.js';
import type { Corpus } from './retrieval/corpus.js';
import { type CutResult, cutLines } from './retrieval/cut-lines.js';
import { drawnFilms } from './retrieval/drawn-films.js';
import { gather, LAYERS, PLACES } from './retrieval/gather.js';
import { keepingVectors } from './retrieval/kept-vectors.js';
import { publishedTexts } from './retrieval/published.js';
import { CUTOFFS, type Outcome, outcomesOf, STAGES, type Verdict, verdictAt } from './retrieval/stages.js';
import { writtenFilms } from './retrieval/written-films.js';

const MAP_FILE = 'index/search/confidence-map.ts';
const FILMS = 60;
const QUESTIONS = 12;
const PLACE_NAMES = { own: 'in its own film', all: 'in the library of its set' } as const;

interface Measured {
  readonly set: string;
  readonly published: boolean;
  readonly layer: (typeof LAYERS)[number];
  readonly place: (typeof PLACES)[number];
  readonly answerable: boolean;
  readonly outcomes: readonly Outcome[];
  readonly verdicts: readonly Verdict[];
}

async function corpora(published: string | undefined): Promise<{ tuning: Corpus[]; test: Corpus[] }> {
  const seeds = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
  const sets =
    published === undefined ? [] : await publishedTexts({ folder: published, films: FILMS, questions: QUESTIONS });
  const half = (odd: 0 | 1) =>
    sets.map(({ name, films }): Corpus => ({ name, films: films.filter((_, at) => at % 2 === odd) }));
  return {
    tuning: [writtenFilms(), drawnFilms(seeds(5001, 20)), ...half(0)],
    test: [writtenFilms(SECOND_FILMS), drawnFilms(seeds(6001, 20)), ...half(1)],
  };
}

async function measure(sets: readonly Corpus[], embedder: Embedder) {
  const { scale } = embedder;
  if (!scale) throw new Error('The embedder has no scale.');
  const measured: Measured[] = [];
  const hits: JudgedHit[] = [];
  for (const corpus of sets) {
    const begun = process.cpuUsage();
    for await (const asked of gather(corpus, embedder)) {
      const { set, layer, place, answerable } = asked;
      measured.push({
        ...{ set, layer, place, answerable, published: set !== 'written' && set !== 'drawn' },
        outcomes: outcomesOf(asked, scale),
        verdicts: CUTOFFS.map((cutoff) => verdictAt(asked, scale, cutoff)),
      });
      hits.push(...judgedHits(asked, embedder));
    }
    const { user, system } = process.cpuUsage(begun);
    const lines = corpus.films.reduce((sum, film) => sum + film.lines.length, 0);
    console.error(
      `${corpus.name}: ${corpus.films.length} films, ${lines} lines, ${((user + system) / 1e6).toFixed(0)} s of processor`,
    );
  }
  return { measured, hits };
}

function sourcesOf(measured: readonly Measured[]): [string, (each: Measured) => boolean][] {
  const sources: [string, (each: Measured) => boolean][] = [
    ['published questions', ({ published }) => published],
    ...LAYERS.map((layer): [string, (each: Measured) => boolean] => [
      `written: ${layer}`,
      (each) => each.set === 'written' && each.layer === layer,
    ]),
    ['drawn world', ({ set }) => set === 'drawn'],
  ];
  return sources.filter(([, is]) => measured.some(is));
}

function printStages(measured: readonly Measured[]): void {
  for (const [name, is] of sourcesOf(measured))
    for (const place of PLACES) {
      const own = measured.filter((each) => is(each) && each.place === place);
      const answerable = own.filter((each) => each.answerable);
      const not = own.filter((each) => !each.answerable);
      console.log(
        `\n${name}, ${PLACE_NAMES[place]}: ${answerable.length} questions with an answer, ${not.length} without\n`,
      );
      console.log('| stage | first | among five | among ten | MRR | without an answer and answered |');
      console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
      STAGES.forEach((stage, at) => {
        const places = answerable.map(({ outcomes }) => outcomes[at]?.place ?? Number.POSITIVE_INFINITY);
        const within = (k: number) => share(places.filter((found) => found <= k).length, places.length);
        const mrr = places.reduce((sum, found) => sum + 1 / found, 0) / places.length;
        const false_ = share(not.filter(({ outcomes }) => outcomes[at]?.answers).length, not.length);
        console.log(`| ${stage} | ${within(1)} | ${within(5)} | ${within(10)} | ${mrr.toFixed(3)} | ${false_} |`);
      });
    }
}

function printCutoffs(measured: readonly Measured[]): void {
  console.log('\nCutoffs: with an answer and answered right, wrongly, not; without an answer and answered\n');
  console.log(`| | ${CUTOFFS.map((cutoff) => cutoff.toFixed(2)).join(' | ')} |`);
  console.log(`| --- |${CUTOFFS.map(() => ' --- |').join('')}`);
  for (const [name, is] of sourcesOf(measured))
    for (const place of PLACES) {
      const own = measured.filter((each) => is(each) && each.place === place);
      const cells = CUTOFFS.map((_, at) => {
        const of = (answerable: boolean, verdict: Verdict) => {
          const those = own.filter((each) => each.answerable === answerable);
          return share(those.filter(({ verdicts }) => verdicts[at] === verdict).length, those.length);
        };
        const wrongly = 1 - Number(of(false, 'silent'));
        return `${of(true, 'right')}, ${of(true, 'wrong')}, ${of(true, 'silent')}; ${wrongly.toFixed(2)}`;
      });
      console.log(`| ${name}, ${PLACE_NAMES[place]} | ${cells.join(' | ')} |`);
    }
}

/** Of cut lines there are four times as many to embed. */
function someFilms({ name, films }: Corpus): Corpus {
  return { name, films: films.slice(0, 10) };
}

function printCutLines(results: readonly CutResult[]): void {
  console.log(
    `\nSentences cut into lines of a few words, ${results[0]?.questions ?? 0} questions, each in its own film\n`,
  );
  console.log('| | first hit touches the sentence | mean IoU |\n| --- | ---: | ---: |');
  for (const { name, touched, iou } of results) console.log(`| ${name} | ${touched.toFixed(2)} | ${iou.toFixed(2)} |`);
}

type Sayer = (hit: JudgedHit) => number | undefined;

function printReliability(name: string, hits: readonly JudgedHit[], say: Sayer): void {
  const judged = hits.flatMap((hit) => {
    const confidence = say(hit);
    return confidence === undefined ? [] : [{ confidence, right: hit.right }];
  });
  console.log(`\n${name}\n\n| said | hits | mean said | right | 95 % |\n| --- | ---: | ---: | ---: | ---: |`);
  for (const bin of reliability(judged).bins.filter(({ count }) => count > 0)) {
    const [low, high] = wilson(bin.accuracy * bin.count, bin.count);
    console.log(
      `| ${bin.from.toFixed(1)}–${bin.to.toFixed(1)} | ${bin.count} | ${bin.confidence.toFixed(2)} | ${bin.accuracy.toFixed(2)} | ${low.toFixed(2)}–${high.toFixed(2)} |`,
    );
  }
}

function printErrors(rows: readonly (readonly [string, readonly JudgedHit[], Sayer])[]): void {
  console.log('\n| hits | count | right | mean said | calibration error | Brier score, of the mean alone |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: |');
  for (const [name, hits, say] of rows) {
    const judged = hits.flatMap((hit) => {
      const confidence = say(hit);
      return confidence === undefined ? [] : [{ confidence, right: hit.right }];
    });
    if (judged.length === 0) continue;
    const mean = (of: (each: (typeof judged)[number]) => number) =>
      judged.reduce((sum, each) => sum + of(each), 0) / judged.length;
    const right = mean((each) => (each.right ? 1 : 0));
    const brier = mean(({ confidence, right }) => (confidence - (right ? 1 : 0)) ** 2);
    const error = reliability(judged).expectedCalibrationError;
    console.log(
      `| ${name} | ${judged.length} | ${right.toFixed(3)} | ${mean(({ confidence }) => confidence).toFixed(3)} | ${error.toFixed(3)} | ${brier.toFixed(3)}, ${(right * (1 - right)).toFixed(3)} |`,
    );
  }
}

function share(part: number, whole: number): string {
  return whole === 0 ? '–' : (part / whole).toFixed(2);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { published: { type: 'string' }, vectors: { type: 'string' }, fit: { type: 'boolean', default: false } },
  });
  const opened = await openMiniLm({ threads: 1 });
  const embedder = values.vectors === undefined ? opened : await keepingVectors(opened, values.vectors);
  try {
    const { tuning, test } = await corpora(values.published);
    const isFitted = ({ layer, evidence }: JudgedHit) =>
      layer === 'speech and subtitles' && evidence === 'words and meaning';
    let say: Sayer = ({ confidence }) => confidence;
    const rows: [string, readonly JudgedHit[], Sayer][] = [];
    if (values.fit) {
      const { hits } = await measure(tuning, embedder);
      const fitted = hits.filter(isFitted);
      const parameters = fitConfidence(fitted);
      await writeMap(MAP_FILE, parameters, fitted);
      console.log(`Fitted on ${fitted.length} hits of ${filmsOf(fitted)} films: ${JSON.stringify(parameters)}`);
      say = (hit) => confidenceBy(parameters, hit);
      for (const set of new Set(fitted.map((hit) => hit.set))) {
        const others = fitConfidence(fitted.filter((hit) => hit.set !== set));
        const left = fitted.filter((hit) => hit.set === set);
        rows.push([`${set}, fitted without this set`, left, (hit) => confidenceBy(others, hit)]);
      }
    }
    const { measured, hits } = await measure(test, embedder);
    printStages(measured);
    printCutoffs(measured);
    const cut = test.filter(({ name }) => name.startsWith('nyt') || name.startsWith('reddit'));
    if (cut.length > 0) printCutLines(await cutLines(cut.map(someFilms), embedder));
    const shared = hits.filter(({ evidence }) => evidence === 'words and meaning');
    const fitted = shared.filter(isFitted);
    printReliability('Confidence of hits in speech and subtitles, films that were not fitted on', fitted, say);
    for (const set of new Set(fitted.map((hit) => hit.set)))
      rows.push([`${set}, other films`, fitted.filter((hit) => hit.set === set), say]);
    for (const set of ['written', 'drawn'])
      for (const layer of LAYERS)
        for (const place of PLACES) {
          const own = shared.filter((hit) => hit.set === set && hit.layer === layer && hit.place === place);
          rows.push([`${set}: ${layer}, ${PLACE_NAMES[place]}`, own, say]);
        }
    printErrors(rows);
    console.log('\nShare of hits that are right, by what speaks for them:');
    for (const evidence of EVIDENCES)
      for (const set of new Set(hits.map((hit) => hit.set))) {
        const own = hits.filter((hit) => hit.evidence === evidence && hit.set === set);
        const right = own.filter((hit) => hit.right).length;
        if (own.length > 0)
          console.log(`  ${evidence}, ${set}: ${right} of ${own.length} (${share(right, own.length)})`);
      }
    const foreign = { ...writtenFilms(), films: writtenFilms().films.slice(0, 16) };
    const first = foreign.films[0];
    if (first) {
      const asking: Corpus = {
        name: 'foreign',
        films: [
          { ...first, questions: FOREIGN_QUESTIONS.map((text) => ({ text, right: [] })) },
          ...foreign.films.slice(1).map((film) => ({ ...film, questions: [] })),
        ],
      };
      const found = (await measure([asking], embedder)).measured.filter(({ place }) => place === 'all');
      const answered = found.filter(({ outcomes }) => outcomes.at(-1)?.answers).length;
      console.log(`\nQuestions that nothing comes near and that get an answer: ${answered} of ${found.length}.`);
    }
  } finally {
    await embedder.close();
  }
}

await main();
