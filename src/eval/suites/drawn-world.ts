/**
 * Films of the drawn world, whose truth is known to the frame: folders with `film.mp4` and `truth.json` (`events`: `start_s`, `end_s`,
 * `text`; `questions`: `text` and `spans`, none where the answer is no). Two suites: the questions, and where the events lie.
 */

import path from 'node:path';
import { readValue, spanSchema, z } from '../annotations.js';
import { type EventsItem, type GroundingItem, lengthGroup } from '../item.js';
import type { MediaFolder } from '../media.js';
import { scoreEvents, scoreSets } from '../scores.js';
import type { Suite } from '../suite.js';

const schema = z.object({
  duration_s: z.number().positive().optional(),
  events: z.array(z.object({ start_s: z.number().min(0), end_s: z.number().positive(), text: z.string() })),
  questions: z.array(z.object({ text: z.string().min(1), spans: z.array(spanSchema) })),
});

interface Film {
  /** Folder of the film, relative to the suite's; empty for the folder itself. */
  readonly name: string;
  readonly media: string;
  readonly truth: z.infer<typeof schema>;
}

const EXPECTS = 'truth.json beside film.mp4, in the folder or in folders below it';

async function readFilms(folder: MediaFolder): Promise<Film[]> {
  const files = folder.annotations([/^truth\.json$/], EXPECTS);
  return Promise.all(
    files.map(async (file) => {
      const name = path.relative(folder.directory, path.dirname(file)).split(path.sep).join('/');
      return { name, media: path.join(path.dirname(file), 'film.mp4'), truth: await readValue(file, schema) };
    }),
  );
}

/** The time of the last event is all that is known of the length where it is not stated. */
function lengthOf({ truth }: Film) {
  return lengthGroup(truth.duration_s ?? (Math.max(0, ...truth.events.map((event) => event.end_s)) || undefined));
}

export const drawnWorld: Suite = {
  name: 'drawn-world',
  title: 'The drawn world: questions with no, one and several answers about films of known truth',
  expects: EXPECTS,
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  groupedBy: ['length'],
  async read(folder) {
    return (await readFilms(folder)).flatMap((film) =>
      film.truth.questions.map(
        ({ text, spans }, at): GroundingItem => ({
          kind: 'grounding',
          id: `${film.name === '' ? 'film' : film.name}#${at + 1}`,
          media: film.media,
          query: text,
          spans,
          groups: lengthOf(film),
        }),
      ),
    );
  },
  score: scoreSets,
};

export const drawnWorldEvents: Suite = {
  name: 'drawn-world-events',
  title: 'The drawn world: where the events of a film lie',
  expects: EXPECTS,
  kind: 'events',
  ways: ['library', 'model'],
  groupedBy: ['length'],
  async read(folder) {
    return (await readFilms(folder)).map(
      (film): EventsItem => ({
        kind: 'events',
        id: film.name === '' ? 'film' : film.name,
        media: film.media,
        truths: [film.truth.events.map(({ start_s, end_s }) => ({ start: start_s, end: end_s }))],
        groups: lengthOf(film),
      }),
    );
  },
  score: scoreEvents,
};
