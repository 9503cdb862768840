import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startServer } from '../../api/server.js';
import { event, type Harness, HIT, JPEG, openHarness, VIDEO_ID } from './harness.js';

const TOKEN = 'correct-horse-battery';
let harness: Harness;
let server: ApiServer;
let client: Client;
beforeEach(async () => {
  harness = openHarness({ config: { token: TOKEN } });
  harness.addVideo([event('subtitle', [1, 2], 'Hello'), event('cut', [3, 3.04], 'cut')]);
  server = await startServer(harness.parts, { port: 0 });
  client = new Client({ name: 'test', version: '1' });
});
afterEach(async () => {
  await client.close();
  await server.close(100);
  await harness.close();
});

async function connect(token = TOKEN): Promise<void> {
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), {
      requestInit: { headers: { authorization: `Bearer ${token}` } },
    }),
  );
}

/** The document that a tool gives. */
async function call(name: string, input: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
  const result = await client.callTool({ name, arguments: input });
  expect(result.isError ?? false).toBe(false);
  const [content] = result.content;
  // Assistants that know no structured content read the same as text.
  expect(JSON.parse(content?.type === 'text' ? content.text : '')).toEqual(result.structuredContent);
  return result.structuredContent as Record<string, unknown>;
}

describe("the protocol's own client", () => {
  it('finds tools that only read', async () => {
    await connect();
    expect(client.getServerVersion()).toMatchObject({ name: 'longwatch', version: '1.2.3' });
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual([
      'ask',
      'get_chapters',
      'get_events',
      'get_frame',
      'get_summary',
      'get_transcript',
      'list_videos',
      'search',
    ]);
    for (const { annotations, inputSchema } of tools) {
      expect(annotations?.readOnlyHint).toBe(true);
      expect(inputSchema.type).toBe('object');
    }
  });

  it('searches, reads on around the place and sees the picture', async () => {
    await connect();
    expect(await call('search', { query: 'who wakes?', start_s: 1, end_s: 9, limit: 3 })).toMatchObject({
      no_match: false,
      results: [{ video_id: VIDEO_ID, start_s: 1.001, text: HIT.text }],
    });
    expect(harness.asked).toEqual([{ query: 'who wakes?', range: { start: 1, end: 9 }, limit: 3 }]);
    expect(await call('list_videos')).toMatchObject({ items: [{ id: VIDEO_ID, title: 'Bunny' }] });
    expect(await call('get_events', { video_id: '3f9a', kinds: ['cut'] })).toMatchObject({
      items: [{ kind: 'cut', start_s: 3 }],
    });
    expect(await call('get_transcript', { video_id: VIDEO_ID, end_s: 3 })).toMatchObject({
      items: [{ text: 'Hello' }],
    });
    expect(await call('get_chapters', { video_id: VIDEO_ID })).toMatchObject({
      chapters: [{ title: 'Shot 1' }, { title: 'Shot 2' }],
    });
    expect(await call('ask', { question: 'who wakes?' })).toMatchObject({ found: true, by: 'quotes' });
    const { content } = await client.callTool({ name: 'get_frame', arguments: { video_id: VIDEO_ID, at_s: 2.51 } });
    expect(content).toEqual([
      { type: 'image', data: Buffer.from(JPEG).toString('base64'), mimeType: 'image/jpeg' },
      { type: 'text', text: `Bunny (${VIDEO_ID}) at 0:00:02.500` },
    ]);
    expect(harness.stills).toEqual([{ time: 2.51, width: 640 }]);
  });

  it('is told in words what went wrong, so that it can do better', async () => {
    await connect();
    const errorOf = async (name: string, input: Record<string, unknown>) => {
      const { isError, content } = await client.callTool({ name, arguments: input });
      return [isError, content[0]?.type === 'text' ? content[0].text : ''];
    };
    expect(await errorOf('get_events', { video_id: 'ffff' })).toEqual([true, expect.stringContaining('[not_found]')]);
    expect(await errorOf('get_summary', { video_id: VIDEO_ID })).toEqual([
      true,
      'There is no model to summarise with. Use get_chapters or get_transcript instead. [part_missing]',
    ]);
    expect(await errorOf('search', { query: 'x', start_s: 9, end_s: 1 })).toEqual([
      true,
      expect.stringContaining('[bad_range]'),
    ]);
    expect(await errorOf('get_frame', { video_id: VIDEO_ID, at_s: 11 })).toEqual([
      true,
      'The video ends at 10 s. [bad_time]',
    ]);
    expect((await errorOf('search', { query: '' }))[0]).toBe(true);
  });

  it('is refused without the token', async () => {
    await expect(connect('someone-elses-token')).rejects.toThrow();
  });
});

describe('/mcp', () => {
  const post = (body: unknown, headers: Record<string, string> = {}) =>
    harness.send('POST', '/mcp', body, {
      authorization: `Bearer ${TOKEN}`,
      accept: 'application/json, text/event-stream',
      ...headers,
    });

  it('serves clients of the revision of 2025, each request by itself', async () => {
    const hello = await post({
      jsonrpc: '2.0',
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'old', version: '1' } },
    });
    expect(hello.status).toBe(200);
    expect(hello.headers.get('mcp-session-id')).toBeNull();
    expect(JSON.stringify(hello.body)).toContain('2025-06-18');
    const tools = await post({ jsonrpc: '2.0', id: 2, method: 'tools/list' }, { 'mcp-protocol-version': '2025-06-18' });
    expect(JSON.stringify(tools.body)).toContain('get_transcript');
  });

  it('has no stream to open and no session to end', async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    for (const method of ['GET', 'DELETE']) {
      const { status, headers: answered } = await harness.get('/mcp', { method, headers });
      expect([method, status, answered.get('allow')]).toEqual([method, 405, 'OPTIONS, POST']);
    }
  });

  it('refuses what is no message, and pages of other origins', async () => {
    expect((await post({ hello: 'there' })).status).toBe(422);
    expect(
      (await post({ jsonrpc: '2.0', id: 1, method: 'tools/list' }, { origin: 'http://evil.example' })).status,
    ).toBe(403);
    const unknown = await post({ jsonrpc: '2.0', id: 1, method: 'nonsense' });
    expect(JSON.stringify(unknown.body)).toContain('-32601');
  });
});
