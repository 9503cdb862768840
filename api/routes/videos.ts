/** Videos: what the library knows, and how one gets in and out. */

import { PROFILE_NAMES } from '../../src/profile.js';
import { tagSet } from '../../src/tag.js';
import { allowedFile } from '../guard/path.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { jobJson, jobSchema, prioritySchema } from '../schema/job.js';
import { pageJson, pageOf, pageQuery, pageSchema } from '../schema/page.js';
import {
  tagCountsJson,
  tagCountsSchema,
  tagFilterSchema,
  taggedVideoSchema,
  tagQuery,
  tagsOfQuery,
  videoChangeSchema,
} from '../schema/tag.js';
import { filePathSchema, videoJson, videoSchema } from '../schema/video.js';
import { json, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const list = createRoute({
  method: 'get',
  path: '/v1/videos',
  operationId: 'listVideos',
  tags: ['Videos'],
  summary: 'The videos of the library, in the order they were added',
  request: { query: pageQuery.extend({ tag: tagQuery }) },
  responses: { 200: json(pageSchema(videoSchema), 'One page of videos.'), ...problems },
});

const add = createRoute({
  method: 'post',
  path: '/v1/videos',
  operationId: 'addVideo',
  tags: ['Videos'],
  summary: 'Ingest a file or an object that this server can read',
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              path: filePathSchema,
              priority: prioritySchema.optional(),
              profile: z.enum(PROFILE_NAMES).optional().openapi({
                description: "How much is read. Without: the server's own. What was read before by a higher one stays.",
              }),
              tags: tagFilterSchema
                .optional()
                .openapi({ description: 'Put on the video beside those that it carries.' }),
            })
            .openapi('NewVideo'),
        },
      },
    },
  },
  responses: {
    202: {
      ...json(jobSchema, 'The job that does it.'),
      headers: z.object({ Location: z.string().openapi({ description: 'Address of the job.' }) }),
    },
    ...problems,
  },
});

const read = createRoute({
  method: 'get',
  path: '/v1/videos/{id}',
  operationId: 'getVideo',
  tags: ['Videos'],
  summary: 'One video',
  request: { params: videoParams },
  responses: { 200: json(videoSchema, 'The video.'), ...problems },
});

const change = createRoute({
  method: 'patch',
  path: '/v1/videos/{id}',
  operationId: 'changeVideo',
  tags: ['Videos'],
  summary: 'Put tags on a video and take them away',
  description:
    'What is in both lists is taken away. A tag that a watched folder puts on its videos comes back when it is looked through.',
  request: {
    params: videoParams,
    body: { required: true, content: { 'application/json': { schema: videoChangeSchema } } },
  },
  responses: { 200: json(taggedVideoSchema, 'The tags that it carries now.'), ...problems },
});

const tags = createRoute({
  method: 'get',
  path: '/v1/tags',
  operationId: 'listTags',
  tags: ['Videos'],
  summary: 'The tags that are on videos, and on how many each is',
  responses: { 200: json(tagCountsSchema, 'The tags, sorted.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/videos/{id}',
  operationId: 'removeVideo',
  tags: ['Videos'],
  summary: 'Forget a video; its file stays',
  request: { params: videoParams },
  responses: { 204: { description: 'It is forgotten.' }, ...problems },
});

export function videoRoutes({ library, jobs, config, objects }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(list, async (c) => {
      const query = c.req.valid('query');
      const tags = tagsOfQuery(query.tag);
      return c.json(
        pageJson(await library.listVideos({ ...pageOf(query), ...(tags ? { tags } : {}) }), videoJson),
        200,
      );
    })
    .openapi(add, async (c) => {
      const { path, priority, profile, tags } = c.req.valid('json');
      const file = await allowedFile(path, config.allowedRoots, objects);
      const job = await jobs.enqueue(file, {
        ...(priority === undefined ? {} : { priority }),
        ...(profile === undefined ? {} : { profile }),
        ...(tags === undefined ? {} : { tags: tagSet(tags) }),
      });
      c.set('jobId', job.id);
      return c.json(jobJson(job), 202, { Location: `/v1/jobs/${job.id}` });
    })
    .openapi(read, async (c) => c.json(videoJson(await videoById(library, c.req.valid('param').id)), 200))
    .openapi(change, async (c) => {
      const { add_tags: add = [], remove_tags: remove = [] } = c.req.valid('json');
      const video = await videoById(library, c.req.valid('param').id);
      const { id, tags } = await library.tagVideo(video.id, { add, remove });
      return c.json({ id, tags: [...tags] }, 200);
    })
    .openapi(tags, async (c) => c.json(tagCountsJson(await library.tags()), 200))
    .openapi(remove, async (c) => {
      const video = await videoById(library, c.req.valid('param').id);
      // An ingest that still runs would write into what is being removed.
      for (const job of (await jobs.list({ limit: 1000 })).items) {
        const concerns = job.videoId === video.id || job.path === video.path;
        if (concerns && ['queued', 'paused', 'running'].includes(job.state)) await jobs.cancel(job.id);
      }
      await library.removeVideo(video.id);
      return c.body(null, 204);
    });
}
