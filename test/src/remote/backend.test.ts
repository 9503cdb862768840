import { LocalBackend } from '../../../src/qwen/local-backend.js';
import { RemoteBackend } from '../../../src/remote/remote-backend.js';
import { GoldenModel } from '../qwen/golden-model.js';
import { backendContract } from './backend-contract.js';
import { type Act, json, MisbehavingServer } from './misbehaving-server.js';

/** A server that does as it is told: its words are the least that a schema allows, and every part of a message is a token. */
const obedient: Act = (exchange) => {
  const { body } = exchange.asked;
  const messages = body['messages'] as { content: string | unknown[] }[];
  const format = body['response_format'] as { json_schema: { schema: Schema } } | undefined;
  const top = [
    { token: 'yes', logprob: Math.log(0.5) },
    { token: 'no', logprob: Math.log(0.25) },
  ];
  json({
    choices: [
      {
        finish_reason: 'stop',
        message: { content: format ? JSON.stringify(least(format.json_schema.schema)) : 'at noon' },
        ...('logprobs' in body ? { logprobs: { content: [{ top_logprobs: top }] } } : {}),
      },
    ],
    usage: { prompt_tokens: messages.flatMap(({ content }) => content).length, completion_tokens: 1 },
  })(exchange);
};

interface Schema {
  readonly type: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}

function least({ type, properties = {}, items }: Schema): unknown {
  if (type === 'object')
    return Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, least(property)]));
  if (type === 'array') return items ? [least(items)] : [];
  return type === 'string' ? 'a' : 0;
}

let server: MisbehavingServer;

backendContract(
  'any server that speaks chat completions',
  async () => {
    server = await new MisbehavingServer().listen();
    server.script = [obedient];
    return new RemoteBackend({ endpoints: [{ baseUrl: server.origin, model: 'qwen' }] });
  },
  () => server.close(),
);

backendContract(
  'frames as a video',
  async () => {
    server = await new MisbehavingServer().listen();
    server.script = [obedient];
    return new RemoteBackend({ endpoints: [{ baseUrl: server.origin, model: 'qwen' }], frames: 'video' });
  },
  () => server.close(),
);

let model: GoldenModel;

backendContract(
  'a model of this machine',
  async () => {
    model = await GoldenModel.open('tiny-tied');
    return new LocalBackend('tiny', model.runtime);
  },
  () => model.close(),
);
