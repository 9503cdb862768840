/** Speaks the Model Context Protocol over HTTP. The one file that knows its server library. */

import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toLongwatchError } from '../../src/errors.js';
import type { Log } from '../ports.js';
import { problemJson } from '../schema/problem.js';
import type { Tool, ToolContext, ToolResult } from './tool.js';

export interface McpEndpointOptions {
  readonly version: string;
  readonly tools: readonly Tool[];
  readonly log: Log;
}

/** What assistants read before they choose a tool. */
const INSTRUCTIONS =
  'Longwatch holds what was seen, read and said in videos, with exact times. Use `search` to find when something happens, `ask` for an answer in sentences, and the others to read what stands around a place. Times are seconds from the first frame. When a search says no_match, the library does not show it.';

/**
 * Answers one request. Nothing is kept between requests: clients of the revision of 2026 and those of 2025 are served alike, each request by a
 * server of its own, so that there are no sessions to lose or to guess.
 */
export function mcpEndpoint({ version, tools, log }: McpEndpointOptions) {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'longwatch', title: 'Longwatch', version }, { instructions: INSTRUCTIONS });
      for (const tool of tools) {
        const { name, title, description, input } = tool;
        const annotations = { readOnlyHint: true, openWorldHint: false };
        server.registerTool(name, { title, description, inputSchema: input, annotations }, (given, { mcpReq }) =>
          resultOf(tool, given, { signal: mcpReq.signal }, log),
        );
      }
      return server;
    },
    { onerror: (error) => log.warn({ err: error }, 'an MCP request was refused') },
  );
  return (request: Request, body: unknown): Promise<Response> => handler.fetch(request, { parsedBody: body });
}

/** What goes wrong is a result too: the assistant reads what to do better. */
async function resultOf(tool: Tool, given: unknown, context: ToolContext, log: Log) {
  try {
    return contentOf(await tool.run(given, context));
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (error.status >= 500) log.error({ tool: tool.name, code: error.code, err: error.cause ?? error }, error.message);
    const { code, detail, hint } = problemJson(error);
    const text = `${detail}${hint === undefined ? '' : ` ${hint}`} [${code}]`;
    return { isError: true, content: [{ type: 'text' as const, text }] };
  }
}

function contentOf(result: ToolResult) {
  if ('jpeg' in result) {
    const data = Buffer.from(result.jpeg).toString('base64');
    return {
      content: [
        { type: 'image' as const, data, mimeType: 'image/jpeg' },
        { type: 'text' as const, text: result.text },
      ],
    };
  }
  return { content: [{ type: 'text' as const, text: JSON.stringify(result.json) }], structuredContent: result.json };
}
