/** Videos: what the library knows, and how one gets in and out. */

import { allowedFile } from '../guard/path.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { jobJson, jobSchema, prioritySchema } from '../schema/job.js';
import { pageJson, pageQuery, pageSchema } from '../schema/page.js';
import { filePathSchema, videoJson, videoSchema } from '../schema/video.js';
import { json, problems } from './responses.js';
import { videoById, videoParams } from './video-id.js';

const list = createRoute({
  method: 'get',
  path: '/v1/videos',
  operationId: 'listVideos',
  tags: ['Videos'],
  summary: 'The videos of the library, in the order they were added',
  request: { query: pageQuery },
  responses: { 200: json(pageSchema(videoSchema), 'One page of videos.'), ...problems },
});

const add = createRoute({
  method: 'post',
  path: '/v1/videos',
  operationId: 'addVideo',
  tags: ['Videos'],
  summary: 'Ingest a file that this server can read',
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              path: filePathSchema,
              priority: prioritySchema.optional(),
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

const remove = createRoute({
  method: 'delete',
  path: '/v1/videos/{id}',
  operationId: 'removeVideo',
  tags: ['Videos'],
  summary: 'Forget a video; its file stays',
  request: { params: videoParams },
  responses: { 204: { description: 'It is forgotten.' }, ...problems },
});

export function videoRoutes({ library, jobs, config }: ApiParts) {
  return new OpenAPIHono<ApiEnv>()
    .openapi(list, async (c) => {
      const { cursor, limit } = c.req.valid('query');
      return c.json(
        pageJson(await library.listVideos(cursor === undefined ? { limit } : { cursor, limit }), videoJson),
        200,
      );
    })
    .openapi(add, async (c) => {
      const { path, priority } = c.req.valid('json');
      const file = await allowedFile(path, config.allowedRoots);
      const job = await jobs.enqueue(file, priority === undefined ? {} : { priority });
      return c.json(jobJson(job), 202, { Location: `/v1/jobs/${job.id}` });
    })
    .openapi(read, async (c) => c.json(videoJson(await videoById(library, c.req.valid('param').id)), 200))
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
