/** The product's own way: the video is ingested, and then searched for a query or listed for its events. */

import { everyPage } from '../../../api/export/rows.js';
import type { EventsItem, GroundingItem } from '../item.js';
import type { Asker, AskingParts } from './asker.js';
import { IngestedVideos } from './ingested-videos.js';

/** Answers of a search that count; the default of `longwatch search`. */
export const LIMIT = 10;

export async function libraryAsker(parts: AskingParts): Promise<Asker<GroundingItem | EventsItem>> {
  const { engine } = parts;
  const { backend } = await engine.model();
  const meaning = (await engine.meaningMissing()) === undefined ? 'meaning' : 'words only';
  const videos = new IngestedVideos(parts);
  return {
    by: `library, ${backend?.id ?? 'no model'}, ${meaning}`,
    async ask(item, file, signal) {
      const id = await videos.idOf(file, signal);
      if (item.kind === 'grounding') {
        const { results } = await engine.searcher.search({ query: item.query, videoIds: [id], limit: LIMIT }, signal);
        return { spans: results.map(({ start, end, score }) => ({ start, end, score })) };
      }
      const spans = [];
      for await (const { start, end } of everyPage((page) =>
        engine.library.events(id, { ...page, kinds: ['activity'], sources: ['model'] }),
      ))
        spans.push({ start, end });
      return { spans };
    },
  };
}
