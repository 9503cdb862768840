/** What an ingest would take on this machine. */

import { allowedFile } from '../guard/path.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { estimateJson, estimateSchema } from '../schema/estimate.js';
import { filePathSchema } from '../schema/video.js';
import { json, problems } from './responses.js';

const estimate = createRoute({
  method: 'post',
  path: '/v1/estimate',
  operationId: 'estimate',
  tags: ['Videos'],
  summary: 'How long an ingest of a file will take here, tried on its beginning (some seconds per layer)',
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z
            .strictObject({
              path: filePathSchema,
            })
            .openapi('EstimateRequest'),
        },
      },
    },
  },
  responses: { 200: json(estimateSchema, 'What it will take.'), ...problems },
});

export function estimateRoutes({ estimate: ask, config, objects }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(estimate, async (c) => {
    const file = await allowedFile(c.req.valid('json').path, config.allowedRoots, objects);
    return c.json(estimateJson(await ask(file, c.req.raw.signal)), 200);
  });
}
