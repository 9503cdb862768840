/** Second part of the demo: an hour of which everything is known, read by the small model that comes along, its answers beside the truth. */

import { cp, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { searchJson } from '../../../api/schema/search.js';
import { videoJson } from '../../../api/schema/video.js';
import { loadConfig } from '../../config.js';
import { LongwatchError } from '../../errors.js';
import { openEngine } from '../../main.js';
import { buildModel } from '../../qwen/build.js';
import { modelDirectory } from '../../qwen/installed-models.js';
import { formatTime, type TimeRange, temporalIoU } from '../../time.js';
import { BUNDLED_NAME, bundledCheckpoint } from '../../weights/bundled.js';
import { ProgressLine } from '../progress.js';
import type { DemoPart } from './part.js';

/** Questions are in rounds of a dozen: as many without an answer as with one or several, a quarter about the order of things. */
const ROUND = 12;
const LEAST_IOU = 0.5;

interface Question {
  readonly text: string;
  readonly spans: readonly TimeRange[];
}

export async function showHour({ terminal, folder, config: given, signal }: DemoPart) {
  const { film, questions } = await placeHour(folder);
  const models = path.join(folder, 'models');
  await buildModel(bundledCheckpoint(), modelDirectory(models, BUNDLED_NAME), { dtype: 'fp32', signal });
  const library = path.join(folder, 'drawn-library');
  // Nothing is said in it, and its signs are too small for any reader but the model.
  const config = loadConfig({ library, models, model: BUNDLED_NAME, profile: 'fast', config: given });
  const engine = await openEngine({ ...config, device: 'cpu' }, { create: true });
  try {
    terminal.line(terminal.bold('An hour of drawn film, of which it is known to the frame what happens when'));
    terminal.line('A model of 3.5 million parameters, trained on such films and of use for nothing else, reads it.');
    const progress = new ProgressLine(terminal, 'the drawn hour');
    const { video, took } = await engine.ingest(film, { signal, onProgress: (step) => progress.show(step) });
    progress.end();
    const speed = video.duration / (took / 1000);
    terminal.line(
      `Read ${formatTime(video.duration)} in ${(took / 1000).toFixed(0)} s, ${speed.toFixed(0)} times as fast as it plays.`,
    );
    const answers = [];
    let right = 0;
    for (const { text, spans } of questions) {
      const answer = await engine.searcher.search({ query: text }, signal);
      const { results } = answer;
      const found = spans.filter((span) => results.some((hit) => temporalIoU(hit, span) >= LEAST_IOU)).length;
      const good = found === spans.length && results.length === spans.length;
      if (good) right++;
      answers.push({ ...searchJson(answer), truth: spans.map(({ start, end }) => [start, end]) });
      terminal.line();
      terminal.line(`${good ? '✓' : '✗'} ${text}`);
      terminal.line(`  found  ${list(results)}`);
      terminal.line(terminal.dim(`  truth  ${list(spans)}`));
    }
    terminal.line();
    terminal.line(
      `${right} of ${questions.length} answered with all times right (IoU of ${LEAST_IOU} or more) and none too many. More figures: docs/accuracy.md.`,
    );
    return { video: videoJson(video), right, answers };
  } finally {
    await engine.close();
  }
}

function list(ranges: readonly TimeRange[]): string {
  if (ranges.length === 0) return 'nowhere';
  return [...ranges]
    .sort((a, b) => a.start - b.start)
    .map(({ start, end }) => `${formatTime(start)} – ${formatTime(end)}`)
    .join(', ');
}

/** Film and truth as `npm run world` wrote them (the command stands in drawn-hour.json). */
async function placeHour(folder: string): Promise<{ film: string; questions: readonly Question[] }> {
  const film = path.join(folder, 'drawn-hour.mp4');
  const place = (name: string) => fileURLToPath(new URL(`../../demo/${name}`, import.meta.url));
  try {
    await cp(place('drawn-hour.mp4'), film);
    const { questions } = JSON.parse(await readFile(place('drawn-hour.json'), 'utf8')) as {
      questions: { text: string; spans: [number, number][] }[];
    };
    const shown = questions.slice(0, ROUND);
    return {
      film,
      questions: shown.map(({ text, spans }) => ({ text, spans: spans.map(([start, end]) => ({ start, end })) })),
    };
  } catch (cause) {
    throw new LongwatchError('part_missing', 'The drawn hour is not part of this copy of Longwatch.', {
      cause,
      hint: 'Install the package again.',
    });
  }
}
