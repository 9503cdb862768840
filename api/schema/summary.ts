/** What happens in a video, as JSON. */

import { roundToMilliseconds } from '../../src/time.js';
import type { VideoSummary } from '../../src/video-summary.js';
import { z } from '../hono.js';
import { secondsSchema } from './units.js';

export const summarySchema = z
  .object({
    video_id: z.string(),
    model: z.string().openapi({ description: 'Whose words they are.' }),
    sentences: z
      .array(
        z.object({
          start_s: secondsSchema,
          end_s: secondsSchema,
          precision_s: z.number().openapi({ description: 'Half the distance that a true edge may lie away.' }),
          text: z.string(),
        }),
      )
      .openapi({ description: 'In order; empty when there are no texts to summarise.' }),
    texts: z.number().int().openapi({ description: 'How many captions, subtitles and other texts it is made of.' }),
    cached: z.boolean().openapi({ description: 'Made before, of the same texts by the same model.' }),
    note: z.string().optional(),
  })
  .openapi('Summary');

export type SummaryJson = z.infer<typeof summarySchema>;

const NO_TEXTS =
  'Nothing has been read in this stretch that could be summarised: no captions, subtitles or other words.';

export function summaryJson(videoId: string, { model, sentences, texts, cached }: VideoSummary): SummaryJson {
  return {
    video_id: videoId,
    model,
    sentences: sentences.map(({ start, end, precision, text }) => ({
      start_s: roundToMilliseconds(start),
      end_s: roundToMilliseconds(end),
      precision_s: roundToMilliseconds(precision),
      text,
    })),
    texts,
    cached,
    ...(texts === 0 ? { note: NO_TEXTS } : {}),
  };
}
