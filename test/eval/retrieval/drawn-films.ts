/** Films of the drawn world as their truth tells them: what a model that makes no mistake would write down. Nothing is drawn. */

import { askAbout } from '../../../fixtures/world/film/questions.js';
import { planFilm } from '../../../fixtures/world/film/truth.js';
import { sentenceOf } from '../../../fixtures/world/lexicon.js';
import type { Corpus, CorpusFilm, CorpusLine } from './corpus.js';

const LENGTH_S = 600;
const QUESTIONS = 24;

/** @param seeds of the films, ten minutes each */
export function drawnFilms(seeds: readonly number[]): Corpus {
  const films = seeds.map((seed) => planFilm({ seed, length: LENGTH_S, rate: { num: 10, den: 1 } }));
  const sentences = new Map(
    films.flatMap(({ world }) => world.events.map(({ happening }) => [sentenceOf(happening), happening] as const)),
  );
  return {
    name: 'drawn',
    films: films.map(({ world, truth }, at): CorpusFilm => {
      const seed = seeds[at] ?? 0;
      const events = truth.events.map((event): CorpusLine => ({ ...lineOf(event), kind: 'activity', source: 'model' }));
      const captions = truth.captions.map(
        (each): CorpusLine => ({ ...lineOf(each), kind: 'caption', source: 'model' }),
      );
      // Questions by the order of things are another part's business: see index/search/question.ts.
      const asked = askAbout(world, { seed, count: QUESTIONS }).filter(({ kind }) => kind === 'plain');
      return {
        name: `drawn ${seed}`,
        lines: [...events, ...captions],
        questions: asked.map(({ text, queries }) => ({
          text,
          right: world.events.flatMap(({ happening }, position) => (queries[0]?.means(happening) ? [position] : [])),
          alsoRight: new Set(
            [...sentences].filter(([, happening]) => queries[0]?.means(happening)).map(([text]) => text),
          ),
        })),
      };
    }),
  };
}

function lineOf({ text, start_s, end_s }: { text: string; start_s: number; end_s: number }) {
  return { text, start: start_s, end: end_s };
}
