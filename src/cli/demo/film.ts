/** First part of the demo: a real film, with what works on real footage without a language model. */

import { cp } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { searchJson } from '../../../api/schema/search.js';
import { videoJson } from '../../../api/schema/video.js';
import { loadConfig } from '../../config.js';
import { openEngine } from '../../main.js';
import { formatTime } from '../../time.js';
import { everyRow } from '../command.js';
import { printHit } from '../commands/search.js';
import { ProgressLine } from '../progress.js';
import type { DemoPart } from './part.js';

/** What is asked, and where alone or together it is found. The last one has no answer, and saying so is the point. */
const QUESTIONS = [
  'something falls on an animal',
  // Only said.
  'bathing children',
  // Only written on the screen.
  '"peach"',
  // Said and written.
  'open movie',
  'the bird sings out of tune',
  'fade from black',
  'two cars race through a city',
] as const;

export async function showFilm({ terminal, folder, config: given, signal }: DemoPart) {
  const film = await placeFilm(folder);
  const config = loadConfig({ library: path.join(folder, 'library'), config: given, model: 'none' });
  const engine = await openEngine(config, { create: true });
  try {
    const progress = new ProgressLine(terminal, 'Big Buck Bunny, the first 30 seconds');
    const { video, took } = await engine.ingest(film, { signal, onProgress: (step) => progress.show(step) });
    progress.end();
    terminal.line(
      `Read ${formatTime(video.duration)} of "${video.title}" in ${(took / 1000).toFixed(1)} s with ${await (await engine.decoder()).version()}.`,
    );
    const events = await everyRow((page) => engine.library.events(video.id, page));
    terminal.line();
    terminal.line(terminal.bold('What was measured in the picture, without any model:'));
    for (const event of events.filter(({ source }) => source === 'signal')) {
      terminal.line(`  ${formatTime(event.start)} – ${formatTime(event.end)}  ${event.text}`);
    }
    terminal.line();
    terminal.line(
      terminal.bold(
        'When does it happen? (found in what is said, in what stands on the screen, in the descriptions beside the film and in the signals)',
      ),
    );
    const answers = [];
    for (const query of QUESTIONS) {
      const answer = await engine.searcher.search({ query, limit: 2 }, signal);
      answers.push(searchJson(answer));
      terminal.line();
      terminal.line(`? ${query}`);
      for (const hit of answer.results) printHit(terminal, hit);
      if (answer.noMatch) terminal.line('  No match: the library does not show it.');
    }
    terminal.line();
    terminal.line(
      'No language model was asked: what happens in the picture is found where words say it (docs/models.md).',
    );
    return { video: videoJson(video), answers };
  } finally {
    await engine.close();
  }
}

/** The film, with our description beside it as a subtitle file. */
export async function placeFilm(folder: string): Promise<string> {
  const place = (name: string) => fileURLToPath(new URL(`../../demo/${name}`, import.meta.url));
  const film = path.join(folder, 'Big Buck Bunny.mp4');
  await cp(place('big-buck-bunny.mp4'), film);
  await cp(place('big-buck-bunny.en.vtt'), path.join(folder, 'Big Buck Bunny.en.vtt'));
  return film;
}
