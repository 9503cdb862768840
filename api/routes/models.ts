/** Which models there are, and which one speaks. */

import { type ApiEnv, createRoute, OpenAPIHono } from '../hono.js';
import type { ApiParts } from '../ports.js';
import { CHAT_MODELS, chatModelsSchema } from '../schema/chat.js';
import { modelsJson, modelsSchema } from '../schema/model.js';
import { json, problems } from './responses.js';

const list = createRoute({
  method: 'get',
  path: '/v1/models',
  operationId: 'listModels',
  tags: ['Model'],
  summary: 'Installed models, and which one describes and answers',
  description: 'Opens none of them. Models are added and removed on the command line.',
  responses: {
    200: json(modelsSchema.extend(chatModelsSchema.shape).openapi('Models'), 'The models.'),
    ...problems,
  },
});

export function modelRoutes({ models }: ApiParts) {
  return new OpenAPIHono<ApiEnv>().openapi(list, async (c) =>
    c.json({ ...modelsJson(await models()), ...CHAT_MODELS }, 200),
  );
}
