/** The tools of the MCP endpoint: what the API answers, for an assistant. None of them changes anything. */

import { MAX_QUERY_LENGTH } from '../../index/search/parse.js';
import { LongwatchError } from '../../src/errors.js';
import { EVENT_KINDS, type EventKind } from '../../src/event.js';
import { formatTime, roundToMilliseconds } from '../../src/time.js';
import { chaptersOf } from '../export/chapter-list.js';
import { z } from '../hono.js';
import { openMedia } from '../media-file.js';
import type { ApiParts } from '../ports.js';
import { hitLinks, placeLinks } from '../routes/place-links.js';
import { rangeOf } from '../routes/time-range.js';
import { videoById, videoIdsOf } from '../routes/video-id.js';
import { askJson } from '../schema/ask.js';
import { chapterJson } from '../schema/chapter.js';
import { eventJson } from '../schema/event.js';
import { pageJson, pageOf } from '../schema/page.js';
import { searchJson } from '../schema/search.js';
import { summaryJson } from '../schema/summary.js';
import { videoJson } from '../schema/video.js';
import type { StillMaker } from '../still-maker.js';
import { type Tool, tool } from './tool.js';

/** Wide enough to read what stands in the picture, small enough for a model's input. */
const FRAME_WIDTH = 768;
const TRANSCRIPT_KINDS: readonly EventKind[] = ['subtitle', 'speech'];

const videoId = z.string().min(4).max(64).describe('Id of a video, from search or list_videos.');
const videoIds = z.array(videoId).min(1).max(1000).optional().describe('Only these videos. Without: all.');
const tags = z
  .array(z.string().min(1).max(64))
  .min(1)
  .max(64)
  .optional()
  .describe('Only videos that carry all of these tags. Without: all.');
const range = {
  start_s: z.number().min(0).optional().describe('Only from here on, in seconds.'),
  end_s: z.number().positive().optional().describe('Only before this, in seconds.'),
};
const page = {
  limit: z.number().int().min(1).max(500).optional().describe('How many at most.'),
  cursor: z.string().min(1).max(512).optional().describe('next_cursor of the page before.'),
};

/** @param stills For `get_frame`. */
export function libraryTools(
  { library, searcher, ask, summary, objects }: ApiParts,
  stills: StillMaker,
): readonly Tool[] {
  return [
    tool({
      name: 'search',
      title: 'Find when something happens',
      description:
        'Finds the moments in the videos that answer a description, best first, each with its times, what stands there and why it was found. "X after Y", "before Y, X" and "X for the first time" go by the order of things. no_match means that nothing answers. confidence, where there is one, is how often such hits were right in tests.',
      input: z.object({
        query: z.string().trim().min(1).max(MAX_QUERY_LENGTH).describe('What happens, in words.'),
        video_ids: videoIds,
        tags,
        ...range,
        limit: z.number().int().min(1).max(100).optional().describe('How many at most; 10 when left out.'),
        ground: z.boolean().optional().describe('Let the vision model look again where the search leads. Slow.'),
      }),
      async run({ query, video_ids: ids, tags: carried, start_s: start, end_s: end, limit, ground }, { signal }) {
        const within = rangeOf(start, end);
        const answer = await searcher.search(
          {
            query,
            ...(ids ? { videoIds: await videoIdsOf(library, ids) } : {}),
            ...(carried ? { tags: carried } : {}),
            ...(within ? { range: within } : {}),
            ...(limit === undefined ? {} : { limit }),
            ...(ground === undefined ? {} : { ground }),
          },
          signal,
        );
        return { json: searchJson(answer, hitLinks) };
      },
    }),
    tool({
      name: 'ask',
      title: 'Ask a question about the videos',
      description:
        'Answers a question in sentences, each with the places that it rests on. Without a language model the sentences are the words of those places.',
      input: z.object({
        question: z.string().trim().min(1).max(MAX_QUERY_LENGTH).describe('The question.'),
        video_ids: videoIds,
        tags,
        ground: z.boolean().optional().describe('Let the vision model look again where the search leads. Slow.'),
      }),
      async run({ question, video_ids: ids, tags: carried, ground }, { signal }) {
        const request = {
          question,
          ...(ids ? { videoIds: await videoIdsOf(library, ids) } : {}),
          ...(carried ? { tags: carried } : {}),
          ...(ground === undefined ? {} : { ground }),
        };
        for await (const step of ask(request, signal))
          if (step.kind === 'answer') return { json: askJson(step.answer, placeLinks) };
        throw new LongwatchError('internal', 'A question ended without an answer.');
      },
    }),
    tool({
      name: 'list_videos',
      title: 'List the videos',
      description:
        'The videos of the library in the order in which they were added, with length, tags, state and warnings.',
      input: z.object({ tags, ...page }),
      run: async ({ tags: carried, ...paging }) => ({
        json: pageJson(
          await library.listVideos({ ...pageOf(paging), ...(carried ? { tags: carried } : {}) }),
          videoJson,
        ),
      }),
    }),
    tool({
      name: 'get_events',
      title: 'Read what happens in a stretch',
      description:
        'Events of a video in order: cuts and other signals, captions of a model, subtitles, speech, text on screen, chapters.',
      input: z.object({
        video_id: videoId,
        kinds: z.array(z.enum(EVENT_KINDS)).min(1).optional().describe('Only these kinds.'),
        ...range,
        ...page,
      }),
      async run({ video_id: id, kinds, start_s: start, end_s: end, ...paging }) {
        const within = rangeOf(start, end);
        const filter = { ...pageOf(paging), ...(kinds ? { kinds } : {}), ...(within ? { range: within } : {}) };
        return { json: pageJson(await library.events((await videoById(library, id)).id, filter), eventJson) };
      },
    }),
    tool({
      name: 'get_transcript',
      title: 'Read what is said',
      description: 'Subtitles and recognised speech of a video, in order.',
      input: z.object({ video_id: videoId, ...range, ...page }),
      async run({ video_id: id, start_s: start, end_s: end, ...paging }) {
        const within = rangeOf(start, end);
        const filter = { ...pageOf(paging), kinds: TRANSCRIPT_KINDS, ...(within ? { range: within } : {}) };
        return { json: pageJson(await library.events((await videoById(library, id)).id, filter), eventJson) };
      },
    }),
    tool({
      name: 'get_chapters',
      title: 'Read the chapters of a video',
      description: "Chapters of a video: from a model's captions, else the file's own, else its shots.",
      input: z.object({ video_id: videoId }),
      async run({ video_id: id }) {
        const video = await videoById(library, id);
        const chapters = [];
        for await (const chapter of chaptersOf(library, video)) chapters.push(chapterJson(chapter));
        return { json: { video_id: video.id, chapters } };
      },
    }),
    tool({
      name: 'get_summary',
      title: 'Read what a video is about',
      description:
        "A language model's summary of a video or of a stretch of it. Needs a model; get_chapters needs none.",
      input: z.object({ video_id: videoId, ...range }),
      async run({ video_id: id, start_s: start, end_s: end }, { signal }) {
        const video = await videoById(library, id);
        const within = rangeOf(start, end);
        if (!summary)
          throw new LongwatchError('part_missing', 'There is no model to summarise with.', {
            hint: 'Use get_chapters or get_transcript instead.',
          });
        return { json: summaryJson(video.id, await summary(video, { signal, ...(within ? { range: within } : {}) })) };
      },
    }),
    tool({
      name: 'get_frame',
      title: 'See the picture at a time',
      description: 'The frame that is on screen at a time of a video, as a JPEG.',
      input: z.object({ video_id: videoId, at_s: z.number().min(0).describe('Seconds from the first frame.') }),
      async run({ video_id: id, at_s: at }) {
        const video = await videoById(library, id);
        if (video.duration > 0 && at >= video.duration)
          throw new LongwatchError('bad_time', `The video ends at ${roundToMilliseconds(video.duration)} s.`);
        // A picture of another file under this video's name would be a lie.
        await (await openMedia(video, objects)).close();
        const { jpeg, time } = await stills.still(video, at, Math.min(FRAME_WIDTH, video.width || FRAME_WIDTH));
        return { jpeg, text: `${video.title} (${video.id}) at ${formatTime(time)}` };
      },
    }),
  ];
}
