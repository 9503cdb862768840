/** The product's own way with a second look: the video is ingested and searched, and the model looks again at what was found. */

import { LongwatchError } from '../../errors.js';
import type { GroundingItem } from '../item.js';
import type { Asker, AskingParts } from './asker.js';
import { IngestedVideos } from './ingested-videos.js';
import { LIMIT } from './library-asker.js';

/** @throws {LongwatchError} `part_missing` without a model */
export async function groundedAsker(parts: AskingParts): Promise<Asker<GroundingItem>> {
  const { engine, groundWindows, snap } = parts;
  const { backend, missing } = await engine.model();
  if (!backend) {
    throw new LongwatchError('part_missing', `There is no model to look with. ${missing ?? ''}`.trim(), {
      hint: 'Build or name one (docs/models.md), or leave --by grounded out.',
    });
  }
  const meaning = (await engine.meaningMissing()) === undefined ? 'meaning' : 'words only';
  const videos = new IngestedVideos(parts);
  return {
    by: `grounded, ${backend.id}, ${meaning}, ${groundWindows} windows${snap ? '' : ', not snapped'}`,
    async ask({ query }, file, signal) {
      const videoIds = [await videos.idOf(file, signal)];
      const answer = await engine.searcher.search(
        { query, videoIds, limit: LIMIT, ground: true, groundWindows, snap },
        signal,
      );
      // The search's own answer is another way's, and half a look would be scored as a whole one.
      if (!answer.grounding?.complete)
        throw new LongwatchError('model_failed', `"${query}" was not looked at in full. ${answer.note ?? ''}`.trim());
      return { spans: answer.results.map(({ start, end, score }) => ({ start, end, score })) };
    },
  };
}
