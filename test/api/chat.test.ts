import OpenAI from 'openai';
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ApiServer, startServer } from '../../api/server.js';
import type { Searcher } from '../../index/search/types.js';
import { LongwatchError } from '../../src/errors.js';
import { type Harness, HIT, openHarness, VIDEO_ID } from './harness.js';

/** What Longwatch says beside the shape of OpenAI. */
interface Beside {
  readonly citations: readonly { readonly video_id: string; readonly start_s: number; readonly text: string }[];
  readonly longwatch: { readonly found: boolean; readonly by: string };
}

const TOKEN = 'correct-horse-battery';
let harness: Harness;
let server: ApiServer;
let client: OpenAI;

async function open(searcher?: Searcher): Promise<void> {
  harness = openHarness({ config: { token: TOKEN }, ...(searcher ? { searcher } : {}) });
  harness.addVideo();
  server = await startServer(harness.parts, { port: 0 });
  client = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: TOKEN, maxRetries: 0 });
}
beforeEach(() => open());
afterEach(async () => {
  await server.close(100);
  await harness.close();
});

const user = (content: string) => ({ role: 'user' as const, content });
const TEXT =
  'the rabbit opens its eyes (Bunny, 0:00:01.001 – 0:00:02.500)\n\nNote: The sentences are what stands at the places that were found. There is no model.';

describe("OpenAI's own client", () => {
  it('gets an answer with its times in the text and its places beside it', async () => {
    const answer = (await client.chat.completions.create({
      model: 'longwatch',
      messages: [{ role: 'system', content: 'Be brief.' }, user('Hello?'), user('what does the rabbit do?')],
      temperature: 0.2,
    })) as ChatCompletion & Beside;
    expect(answer).toMatchObject({
      object: 'chat.completion',
      model: 'longwatch',
      id: expect.stringMatching(/^chatcmpl-/),
    });
    expect(answer.choices).toEqual([
      {
        index: 0,
        message: { role: 'assistant', content: TEXT, refusal: null },
        logprobs: null,
        finish_reason: 'stop',
      },
    ]);
    expect(answer.citations).toMatchObject([{ video_id: VIDEO_ID, start_s: 1.001, text: HIT.text }]);
    expect(answer.longwatch).toMatchObject({ found: true, by: 'quotes' });
    expect(harness.asked).toMatchObject([{ query: 'what does the rabbit do?' }]);
  });

  it('is understood with the messages before', async () => {
    const answer = await client.chat.completions.create({
      model: 'longwatch',
      messages: [
        user('What about the owl?'),
        { role: 'assistant', content: 'It flies.' },
        { role: 'user', content: [{ type: 'text', text: 'When does the rabbit wake up?' }] },
        { role: 'assistant', content: 'At 0:00:01.' },
        { role: 'assistant', content: null },
        user('And then?'),
      ],
    });
    expect(harness.asked).toMatchObject([{ query: 'rabbit wake' }]);
    expect(answer).toMatchObject({ longwatch: { found: true, searched_for: 'rabbit wake' } });
  });

  it('finds one partner in the list of models', async () => {
    const { data } = await client.models.list();
    expect(data).toEqual([{ id: 'longwatch', object: 'model', created: 0, owned_by: 'longwatch' }]);
  });

  it('gets the same as a stream', async () => {
    const stream = await client.chat.completions.create({
      model: 'longwatch',
      messages: [user('what does the rabbit do?')],
      stream: true,
    });
    const chunks: ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join('')).toBe(TEXT);
    expect(chunks[0]?.choices[0]?.delta.role).toBe('assistant');
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, null, null, 'stop']);
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1);
    expect((chunks.at(-1) as ChatCompletionChunk & Beside).citations).toMatchObject([{ start_s: 1.001 }]);
  });

  it('asks some videos only, with a field of ours', async () => {
    await client.chat.completions.create({
      model: 'any',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what does' },
            { type: 'text', text: 'it do?' },
          ],
        },
      ],
      // @ts-expect-error Not of OpenAI.
      video_ids: [VIDEO_ID],
    });
    expect(harness.asked).toMatchObject([{ query: 'what does\nit do?', videoIds: [VIDEO_ID] }]);
  });

  it.each([
    ['two answers', { n: 2 }, 'n'],
    ['tools', { tools: [{ type: 'function' as const, function: { name: 'x' } }] }, 'tools'],
    ['JSON', { response_format: { type: 'json_object' as const } }, 'response_format'],
    [
      'a picture',
      {
        messages: [{ role: 'user' as const, content: [{ type: 'image_url' as const, image_url: { url: 'data:,' } }] }],
      },
      'messages.0.content',
    ],
    ['nothing', { messages: [user('  ')] }, 'messages.0.content'],
    ['nobody', { messages: [{ role: 'system' as const, content: 'x' }] }, 'messages'],
  ])('is told in its own terms what is wrong with asking for %s', async (_, body, param) => {
    await expect(client.chat.completions.create({ model: 'x', messages: [user('x')], ...body })).rejects.toMatchObject({
      status: 422,
      code: 'invalid_input',
      param,
      type: 'invalid_request_error',
    });
  });

  it('is refused without the token', async () => {
    const stranger = new OpenAI({ baseURL: `${server.url}/v1`, apiKey: 'someone-elses-token', maxRetries: 0 });
    await expect(stranger.chat.completions.create({ model: 'x', messages: [user('x')] })).rejects.toBeInstanceOf(
      OpenAI.AuthenticationError,
    );
  });
});

describe('a chat', () => {
  it('says so when the library does not show it', async () => {
    await server.close(100);
    await harness.close();
    await open({
      search: async ({ query }) => ({
        query,
        took: 1,
        mode: 'words',
        results: [],
        count: 0,
        noMatch: true,
        note: 'Nothing answers this.',
      }),
    });
    const answer = await client.chat.completions.create({ model: 'x', messages: [user('a dragon?')] });
    expect(answer.choices[0]?.message.content).toBe('The library does not show it.\n\nNote: Nothing answers this.');
    expect(answer).toMatchObject({ citations: [], longwatch: { found: false, by: 'search' } });
  });

  it('that fails before its first word has a status, streamed or not', async () => {
    await server.close(100);
    await harness.close();
    await open({ search: () => Promise.reject(new LongwatchError('library_busy', 'Somebody writes.')) });
    for (const stream of [false, true])
      await expect(client.chat.completions.create({ model: 'x', messages: [user('x')], stream })).rejects.toMatchObject(
        { status: 503, code: 'library_busy', type: 'server_error' },
      );
  });
});
