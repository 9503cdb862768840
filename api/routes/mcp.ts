/** Where assistants that speak the Model Context Protocol find the library. */

import { type ApiEnv, createRoute, OpenAPIHono, z } from '../hono.js';
import { mcpEndpoint } from '../mcp/endpoint.js';
import { libraryTools } from '../mcp/library-tools.js';
import type { ApiParts } from '../ports.js';
import type { StillMaker } from '../still-maker.js';
import { json, problems } from './responses.js';

const message = z.looseObject({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({}).optional(),
});

const post = createRoute({
  method: 'post',
  path: '/mcp',
  operationId: 'mcp',
  tags: ['Assistants'],
  summary: 'Model Context Protocol, streamable HTTP, without sessions',
  description: 'JSON-RPC 2.0. The tools only read; `tools/list` names them.',
  request: {
    body: {
      required: true,
      content: {
        'application/json': { schema: z.union([message, z.array(message).min(1).max(100)]).openapi('McpMessage') },
      },
    },
  },
  responses: {
    200: json(z.looseObject({}), 'The answer, a JSON-RPC response.'),
    202: { description: 'A notification was taken.' },
    ...problems,
    '4XX': {
      description: 'A JSON-RPC error where the message was read, else a problem.',
      content: {
        'application/json': { schema: z.looseObject({ jsonrpc: z.literal('2.0') }) },
        ...problems['4XX'].content,
      },
    },
  },
});

export function mcpRoutes(parts: ApiParts, stills: StillMaker) {
  const { config, log } = parts;
  const answer = mcpEndpoint({ version: config.version, tools: libraryTools(parts, stills), log });
  return new OpenAPIHono<ApiEnv>().openapi(post, async (c) => (await answer(c.req.raw, c.req.valid('json'))) as never);
}
