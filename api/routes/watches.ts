/** Standing queries: "tell me when …", and how the telling goes. */

import { randomUUID } from 'node:crypto';
import { WATCHES_MAX } from '../../index/store/standing-store.js';
import { LongwatchError } from '../../src/errors.js';
import { checkedDestination } from '../../src/standing-queries/destination.js';
import { refuseEndless } from '../../src/standing-queries/evaluate.js';
import { newSecret } from '../../src/standing-queries/signature.js';
import { tagSet } from '../../src/tag.js';
import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { pageJson, pageOf, pageQuery, pageSchema } from '../schema/page.js';
import {
  createdWatchSchema,
  deliveryJson,
  deliverySchema,
  newWatchSchema,
  watchJson,
  watchSchema,
} from '../schema/watch.js';
import { json, problems } from './responses.js';
import { videoIdsOf } from './video-id.js';

const watchParams = z.object({ id: z.string().min(1).max(128) });

const list = createRoute({
  method: 'get',
  path: '/v1/watches',
  operationId: 'listWatches',
  tags: ['Watches'],
  summary: 'Standing queries, the newest first',
  request: { query: pageQuery },
  responses: { 200: json(pageSchema(watchSchema), 'One page of standing queries.'), ...problems },
});

const add = createRoute({
  method: 'post',
  path: '/v1/watches',
  operationId: 'addWatch',
  tags: ['Watches'],
  summary: 'Be told when something happens in what is ingested from now on',
  description: `Each window that is written is searched for it; what the search finds is posted to the url, signed, at least once. At most ${WATCHES_MAX} stand at a time.`,
  request: { body: { required: true, content: { 'application/json': { schema: newWatchSchema } } } },
  responses: {
    201: {
      ...json(createdWatchSchema, 'It stands. The secret is shown this once.'),
      headers: z.object({ Location: z.string().openapi({ description: 'Address of the standing query.' }) }),
    },
    ...problems,
  },
});

const read = createRoute({
  method: 'get',
  path: '/v1/watches/{id}',
  operationId: 'getWatch',
  tags: ['Watches'],
  summary: 'One standing query',
  request: { params: watchParams },
  responses: { 200: json(watchSchema, 'The standing query.'), ...problems },
});

const remove = createRoute({
  method: 'delete',
  path: '/v1/watches/{id}',
  operationId: 'removeWatch',
  tags: ['Watches'],
  summary: 'End a standing query; its notices and their log go with it',
  request: { params: watchParams },
  responses: { 204: { description: 'It is gone.' }, ...problems },
});

const deliveries = createRoute({
  method: 'get',
  path: '/v1/watches/{id}/deliveries',
  operationId: 'listDeliveries',
  tags: ['Watches'],
  summary: 'Notices of a standing query and how they went, the newest first',
  request: { params: watchParams, query: pageQuery },
  responses: { 200: json(pageSchema(deliverySchema), 'One page of notices.'), ...problems },
});

export function watchRoutes({ library, config }: ApiParts) {
  const { watches } = library;
  const known = async (id: string) => {
    const watch = await watches.get(id);
    if (watch) return watch;
    throw new LongwatchError('not_found', `There is no standing query "${id}".`, {
      hint: 'GET /v1/watches lists them.',
    });
  };
  return new OpenAPIHono<ApiEnv>()
    .openapi(list, async (c) => c.json(pageJson(await watches.list(pageOf(c.req.valid('query'))), watchJson), 200))
    .openapi(add, async (c) => {
      const body = c.req.valid('json');
      refuseEndless(body.query);
      const watch = {
        id: randomUUID(),
        query: body.query,
        url: checkedDestination(body.url, config.privateHosts ?? []).href,
        ...(body.video_ids ? { videoIds: await videoIdsOf(library, body.video_ids) } : {}),
        ...(body.tags ? { tags: tagSet(body.tags) } : {}),
        minScore: body.min_score ?? 0,
        created: Date.now(),
      };
      const secret = newSecret();
      await watches.add(watch, secret);
      return c.json({ ...watchJson(watch), secret }, 201, {
        Location: `/v1/watches/${watch.id}`,
        'Cache-Control': 'no-store',
      });
    })
    .openapi(read, async (c) => c.json(watchJson(await known(c.req.valid('param').id)), 200))
    .openapi(remove, async (c) => {
      await watches.remove(c.req.valid('param').id);
      return c.body(null, 204);
    })
    .openapi(deliveries, async (c) => {
      const { id } = await known(c.req.valid('param').id);
      return c.json(pageJson(await watches.deliveries.list(id, pageOf(c.req.valid('query'))), deliveryJson), 200);
    });
}
