import { describe, expect, it } from 'vitest';
import { LongwatchError } from '../../src/errors.js';
import type { InstalledModel } from '../../src/qwen/installed-models.js';
import { openHarness } from './harness.js';
import { SERVERS } from './model-servers.js';

const ready = (name: string, sees?: string) =>
  ({
    name,
    directory: `/secret/${name}`,
    state: 'ready',
    manifest: { dtype: 'fp32' },
    config: sees === undefined ? {} : { sees },
    bytes: 7,
    licence: { id: 'mit', name: 'MIT License', summary: 'Free to use.', mustAccept: false },
  }) as unknown as InstalledModel;

/** What chat programs look for, whatever is installed. */
const FOR_CHATS = {
  object: 'list',
  data: [{ id: 'longwatch', object: 'model', created: 0, owned_by: 'longwatch' }],
};

describe('GET /v1/models', () => {
  it('says which models there are, which one speaks, and of what it knows nothing', async () => {
    const broken: InstalledModel = {
      name: 'broken',
      directory: '/secret/broken',
      state: 'damaged',
      problem: new LongwatchError('bad_weights', 'A file is too short.'),
    };
    const models = [broken, ready('toy', 'drawn films only')];
    const house = openHarness({ models: async () => ({ models, inUse: 'toy' }) });
    const { status, body } = await house.get('/v1/models');
    expect(status).toBe(200);
    expect(body).toEqual({
      models: [
        { name: 'broken', state: 'damaged', problem: 'A file is too short.' },
        {
          name: 'toy',
          state: 'ready',
          dtype: 'fp32',
          bytes: 7,
          sees: 'drawn films only',
          licence: { id: 'mit', name: 'MIT License', summary: 'Free to use.' },
        },
      ],
      in_use: 'toy',
      note: 'toy knows drawn films only: what it says of other pictures means nothing.',
      ...FOR_CHATS,
    });
    await house.close();
  });

  it('has no remark about a model for any picture, and one where there is none', async () => {
    const house = openHarness({ models: async () => ({ models: [ready('real')], inUse: 'real' }) });
    expect((await house.get('/v1/models')).body).not.toHaveProperty('note');
    await house.close();
    const bare = openHarness();
    expect((await bare.get('/v1/models')).body).toMatchObject({
      models: [],
      in_use: null,
      note: expect.stringContaining('No model looks at the pictures'),
      ...FOR_CHATS,
    });
    await bare.close();
  });

  it('says how the servers of the model are', async () => {
    const house = openHarness({ models: async () => ({ models: [], inUse: 'qwen', servers: SERVERS }) });
    expect((await house.get('/v1/models')).body).toMatchObject({
      in_use: 'qwen',
      servers: [
        {
          url: 'http://a/v1/chat/completions',
          model: 'qwen',
          state: 'up',
          in_flight: 2,
          concurrency: 4,
          max_tokens: 8192,
        },
        { url: 'http://b/v1/chat/completions', state: 'open', problem: 'It hung up.' },
      ],
    });
    await house.close();
  });
});
