/** The folders and buckets that this server keeps in its library. */

import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { folderJson, foldersSchema } from '../schema/folder.js';
import { json, problems } from './responses.js';

const list = createRoute({
  method: 'get',
  path: '/v1/folders',
  operationId: 'listFolders',
  tags: ['Jobs'],
  summary: 'The folders and buckets that this server watches, and how each is doing',
  responses: { 200: json(foldersSchema, 'The watched places, in the order of the settings.'), ...problems },
});

export function folderRoutes({ watchedPlaces }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(list, (c) =>
    c.json({ folders: (watchedPlaces?.() ?? []).map(folderJson) }, 200),
  );
}
