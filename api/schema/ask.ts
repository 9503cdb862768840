/** A question and its answer in cited sentences, as JSON. */

import { MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import type { AskAnswer, Citation } from '../../src/ask.js';
import { EVENT_KINDS } from '../../src/event.js';
import { MAX_TURNS } from '../../src/tasks/standalone.js';
import { roundToMilliseconds } from '../../src/time.js';
import { z } from '../hono.js';
import { groundingJson, groundingSchema } from './search.js';
import { tagFilterSchema } from './tag.js';
import { roundTo, secondsSchema } from './units.js';

/** Of an earlier turn; far more than is looked back on. */
const MAX_ANSWER_LENGTH = 20_000;

export const askRequestSchema = z
  .strictObject({
    question: z.string().trim().min(1).max(MAX_QUERY_LENGTH).openapi({ example: 'What wakes the rabbit up?' }),
    video_ids: z.array(z.string().min(1).max(128)).min(1).max(1000).optional(),
    tags: tagFilterSchema.optional(),
    turns: z
      .array(z.strictObject({ question: z.string().max(MAX_QUERY_LENGTH), answer: z.string().max(MAX_ANSWER_LENGTH) }))
      .max(100)
      .optional()
      .openapi({ description: `The conversation so far, in order. The last ${MAX_TURNS} turns are looked back on.` }),
    ground: z.boolean().optional().openapi({
      description: 'Let the model look again where the search leads: the places are those that it sees. Slow.',
    }),
  })
  .openapi('AskRequest');

export const citationSchema = z
  .object({
    video_id: z.string(),
    title: z.string(),
    start_s: secondsSchema,
    end_s: secondsSchema,
    precision_s: z.number().openapi({ description: 'Half the distance that a true edge may lie away.' }),
    kind: z.enum(EVENT_KINDS),
    text: z.string().openapi({ description: 'What stands there.' }),
    why: z.array(z.string()).optional().openapi({
      description: 'With `grounding`: what the model said of it, and what led there.',
    }),
    frame_url: z.string().optional(),
    media_url: z.string().optional(),
  })
  .openapi('Citation');

const sentenceSchema = z.object({
  text: z.string(),
  citations: z.array(citationSchema).openapi({ description: 'Where to look, at least one place.' }),
});

export const askSchema = z
  .object({
    question: z.string(),
    searched_for: z.string().optional().openapi({
      description: 'What was searched for, where the question follows others and leans on them.',
    }),
    found: z.boolean().openapi({ description: 'False: the library does not show it.' }),
    by: z.enum(['model', 'quotes', 'search']).openapi({
      description:
        '`model`: its sentences about the places that were found, or it looked again and saw nothing. `quotes`: no model, the words of those places. `search`: no place was found.',
    }),
    model: z.string().optional(),
    sentences: z.array(sentenceSchema),
    grounding: groundingSchema.optional(),
    took_ms: z.number(),
    note: z.string().optional(),
  })
  .openapi('Answer');

export type AskJson = z.infer<typeof askSchema>;

/** Addresses that belong to a place; the command line has none. */
export interface PlaceLinks {
  frameUrl(place: Citation): string;
  mediaUrl(place: Citation): string;
}

export function citationJson(citation: Citation, links?: PlaceLinks): z.infer<typeof citationSchema> {
  return {
    video_id: citation.videoId,
    title: citation.title,
    start_s: roundToMilliseconds(citation.start),
    end_s: roundToMilliseconds(citation.end),
    precision_s: roundToMilliseconds(citation.precision),
    kind: citation.kind,
    text: citation.text,
    ...(citation.why === undefined ? {} : { why: [...citation.why] }),
    ...(links ? { frame_url: links.frameUrl(citation), media_url: links.mediaUrl(citation) } : {}),
  };
}

export function askJson(answer: AskAnswer, links?: PlaceLinks): AskJson {
  return {
    question: answer.question,
    ...(answer.searchedFor === undefined ? {} : { searched_for: answer.searchedFor }),
    found: answer.found,
    by: answer.by,
    ...(answer.model === undefined ? {} : { model: answer.model }),
    sentences: answer.sentences.map(({ text, citations }) => ({
      text,
      citations: citations.map((citation) => citationJson(citation, links)),
    })),
    ...(answer.grounding === undefined ? {} : { grounding: groundingJson(answer.grounding) }),
    took_ms: roundTo(answer.took, 1),
    ...(answer.note === undefined ? {} : { note: answer.note }),
  };
}
