/**
 * ActivityNet Captions (Krishna et al., "Dense-Captioning Events in Videos", ICCV 2017): videos of two minutes with their events. JSON:
 * `{"v_ID": {"duration": 82.7, "timestamps": [[0.8, 19.9], …], "sentences": ["…", …]}}`; `val_1.json` and `val_2.json` are two
 * annotators of the same videos. Two suites: where the events lie (both annotators), and each sentence as a query (the first file).
 */

import { type Entry, invalid, readMap, spanSchema, z } from '../annotations.js';
import { type EventsItem, type GroundingItem, lengthGroup } from '../item.js';
import type { MediaFolder } from '../media.js';
import { scoreGrounding, scoreLocalisation } from '../scores.js';
import type { Suite } from '../suite.js';

const schema = z.object({
  duration: z.number().positive(),
  timestamps: z.array(spanSchema),
  sentences: z.array(z.string()),
});
type Video = Entry<z.infer<typeof schema>> & { readonly key: string };

const EXPECTS = 'val_1.json (and val_2.json)';

async function readVideos(folder: MediaFolder): Promise<Video[][]> {
  const files = folder.annotations([/^val_[12]\.json$/i, /^(activitynet|anet).*\.json$/i], EXPECTS);
  const read = await Promise.all(files.map((file) => readMap(file, schema)));
  for (const { value, where } of read.flat()) {
    if (value.timestamps.length !== value.sentences.length)
      throw invalid(where, `${value.timestamps.length} "timestamps" have ${value.sentences.length} "sentences"`);
  }
  return read;
}

export const activityNetCaptions: Suite = {
  name: 'activitynet-captions',
  title: 'ActivityNet Captions: where the events of a video lie',
  expects: EXPECTS,
  kind: 'events',
  ways: ['library', 'model'],
  async read(folder) {
    const truths = new Map<string, EventsItem['truths']>();
    for (const { key, value } of (await readVideos(folder)).flat())
      truths.set(key, [...(truths.get(key) ?? []), value.timestamps]);
    return [...truths].map(([id, spans]): EventsItem => ({ kind: 'events', id, media: id, truths: spans }));
  },
  score: scoreLocalisation,
};

export const activityNetGrounding: Suite = {
  name: 'activitynet-grounding',
  title: 'ActivityNet Captions: when does a sentence happen',
  expects: EXPECTS,
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  groupedBy: ['length'],
  async read(folder) {
    const [first] = await readVideos(folder);
    return (first ?? []).flatMap(({ key, value }) =>
      value.sentences.flatMap((sentence, at): GroundingItem[] => {
        const span = value.timestamps[at];
        if (!span || sentence.trim() === '') return [];
        return [
          {
            kind: 'grounding',
            id: `${key}#${at + 1}`,
            media: key,
            query: sentence.trim(),
            spans: [span],
            groups: lengthGroup(value.duration),
          },
        ];
      }),
    );
  },
  score: scoreGrounding,
};
