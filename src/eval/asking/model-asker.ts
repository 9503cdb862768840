/** The model alone: frames of the whole video in one prompt, or the picture of a document. */

import path from 'node:path';
import { LongwatchError } from '../../errors.js';
import { readCaptionFiles } from '../../layers/subtitles/caption-file.js';
import { plainCueText } from '../../layers/subtitles/cue-text.js';
import type { ModelInput } from '../../model.js';
import { eventsTask } from '../../tasks/events.js';
import { ground } from '../../tasks/ground.js';
import { runTask } from '../../tasks/task.js';
import { contains } from '../../time.js';
import type { Item } from '../item.js';
import type { MediaFolder } from '../media.js';
import type { Asker, AskingParts } from './asker.js';
import { chooseTask } from './choose-task.js';
import { documentTask } from './document-task.js';
import { stillPicture } from './still-picture.js';
import { WholeVideo } from './whole-video.js';

/** @throws {LongwatchError} `part_missing` without a model */
export async function modelAsker({ engine, tokens }: AskingParts, folder: MediaFolder): Promise<Asker> {
  const { backend, missing } = await engine.model();
  if (!backend) {
    throw new LongwatchError('part_missing', `There is no model to ask. ${missing ?? ''}`.trim(), {
      hint: 'Build or name one (docs/models.md), or score answers made elsewhere with --predictions.',
    });
  }
  const decoder = await engine.decoder();
  const videos = new WholeVideo(decoder, backend, tokens);
  return {
    by: `model, ${backend.id}, ${tokens} tokens`,
    async ask(item: Item, file, signal) {
      switch (item.kind) {
        case 'grounding': {
          const input = { ...(await videos.see(file, undefined, signal)), query: item.query };
          const spans = await ground(backend, input, { verify: false }, signal);
          return { spans: spans.map(({ start, end }) => ({ start, end })) };
        }
        case 'events': {
          const events = await runTask(backend, eventsTask, await videos.see(file, undefined, signal), signal);
          return { spans: events.map(({ start, end }) => ({ start, end })) };
        }
        case 'choice': {
          const seen = await videos.see(file, item.range, signal);
          const subtitles = item.subtitles === undefined ? [] : await linesOf(folder, item.subtitles, seen);
          const { question, options } = item;
          return runTask(backend, chooseTask, { ...seen, question, options, subtitles }, signal);
        }
        case 'document': {
          const picture = await stillPicture(decoder, backend, file, tokens, signal);
          const input = { picture, source: picture, question: item.question };
          return { answer: await runTask(backend, documentTask, input, signal) };
        }
        default:
          return item satisfies never;
      }
    },
  };
}

/** Lines of a subtitle file that are on screen in one of the shown frames, each once. A video without a file has none. */
async function linesOf(folder: MediaFolder, name: string, { pictures }: ModelInput): Promise<string[]> {
  const file = folder.find(name);
  if (file === undefined) return [];
  // Subtitles are found beside the video that they belong to; here the video may lie elsewhere.
  const { files } = await readCaptionFiles(file);
  const cues = files.find((candidate) => path.basename(candidate.path) === path.basename(file))?.cues ?? [];
  const shown = cues.filter(({ containerStart: start, containerEnd: end }) =>
    pictures.some(({ time }) => contains({ start, end }, time)),
  );
  return [...new Set(shown.map(({ text }) => plainCueText(text)))].filter((line) => line !== '');
}
