/** The thread of a `Session`. */

import type { Tensor } from './element-type.js';
import { type RuntimeOptions, RuntimeSession } from './runtime-session.js';
import { buffersOf, serveCalls } from './thread-calls.js';

export type SessionCalls = {
  readonly open: {
    readonly request: { readonly model: Uint8Array | string; readonly options: RuntimeOptions };
    readonly answer: { readonly inputs: readonly string[]; readonly outputs: readonly string[] };
  };
  readonly run: {
    readonly request: { readonly feeds: Readonly<Record<string, Tensor>>; readonly outputs: readonly string[] };
    readonly answer: Readonly<Record<string, Tensor>>;
  };
};

let session: RuntimeSession | undefined;

serveCalls<SessionCalls>(
  {
    async open({ model, options }) {
      session = await RuntimeSession.open(model, options);
      return { answer: { inputs: session.inputs, outputs: session.outputs } };
    },
    async run({ feeds, outputs }) {
      if (!session) throw new Error('No session is open.');
      const answer = await session.run(feeds, outputs);
      return { answer, transfer: buffersOf(Object.values(answer).map((tensor) => tensor.data)) };
    },
  },
  async () => session?.release(),
);
