/**
 * One ONNX Runtime session, for the thread that owns it: the runtime's `run` blocks whoever calls it.
 * The only file that knows onnxruntime-node.
 */

import { createRequire } from 'node:module';
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { Tensor } from './element-type.js';
import { PartMissing } from './thread-calls.js';

export interface RuntimeOptions {
  /** Threads that one operator may use. */
  readonly threads: number;
  /** Execution providers in order of preference. */
  readonly providers: readonly string[];
  /**
   * Working memory is given back to the system after each run and taken anew in the next, for a model that needs much of it and runs seldom.
   * @default false: it is kept
   */
  readonly frugal?: boolean;
  /**
   * Weights that a model stores in 8 bits and multiplies as 32-bit floats are turned to floats once, when it is loaded, and not in every run. They
   * take four times the memory.
   * @default false
   */
  readonly unpackWeights?: boolean;
  /**
   * The inputs have another shape from run to run. The runtime then does not lay out its memory for each shape beforehand, which for a detector of
   * pictures takes 200 MB of 550 and saves no time. @default false
   */
  readonly varyingShapes?: boolean;
}

/**
 * How threads wait for their part of the next operator: awake for a moment, then asleep, and asleep once the run has ended. A decoder's step
 * has a thousand operators, many of which take less time than waking up; but a thread that spins for long keeps out whoever shares the cores.
 * Milliseconds of a step of the 3B shape in q4 with a thread for each of two cores: on a quiet machine 65 asleep at once, 51 after 50 µs, 55
 * after the runtime's own long while; beside a training on the same cores 104 and 114, and with the long while 191. By default half the
 * cores are left to others, so the quiet figures count.
 */
const WAITING = { force_spinning_stop: '1', intra_op: { allow_spinning: '1', spin_duration_us: '50' } };

type Runtime = typeof import('onnxruntime-node');

export class RuntimeSession {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly #runtime: Runtime;
  readonly #session: InferenceSession;

  private constructor(runtime: Runtime, session: InferenceSession) {
    this.#runtime = runtime;
    this.#session = session;
    this.inputs = session.inputNames;
    this.outputs = session.outputNames;
  }

  /** @throws {PartMissing} when the package is not there, or its binary does not load; whatever the runtime throws for a model. */
  static async open(model: Uint8Array | string, options: RuntimeOptions): Promise<RuntimeSession> {
    const runtime = await load();
    // Before the first session. What fails is thrown as well, and stderr is the person's.
    runtime.env.logLevel = 'fatal';
    const sessionOptions: InferenceSession.SessionOptions = {
      intraOpNumThreads: options.threads,
      interOpNumThreads: 1,
      executionProviders: [...options.providers],
      enableMemPattern: options.varyingShapes !== true,
      logSeverityLevel: 4,
      enableCpuMemArena: !options.frugal,
      extra: { session: { ...WAITING, ...(options.unpackWeights ? { disable_quant_qdq: '1' } : {}) } },
    };
    const session =
      typeof model === 'string'
        ? await runtime.InferenceSession.create(model, sessionOptions)
        : await runtime.InferenceSession.create(model, sessionOptions);
    return new RuntimeSession(runtime, session);
  }

  /**
   * Feeds are read where they lie; outputs are copies for the caller alone.
   * @param outputs names of the outputs that are wanted; none means all
   */
  async run(feeds: Readonly<Record<string, Tensor>>, outputs: readonly string[]): Promise<Record<string, Tensor>> {
    const inputs: Record<string, OrtTensor> = {};
    for (const [name, { type, data, shape }] of Object.entries(feeds))
      inputs[name] = new this.#runtime.Tensor(type, data, [...shape]);
    const results = await this.#session.run(inputs, outputs.length === 0 ? this.outputs : [...outputs]);
    const named: Record<string, Tensor> = {};
    for (const [name, { type, data, dims }] of Object.entries(results))
      named[name] = { type, data, shape: dims } as Tensor;
    return named;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}

/** Whether the package is there; whether its binary loads shows when it is used. */
export function isRuntimeInstalled(): boolean {
  try {
    createRequire(import.meta.url).resolve('onnxruntime-node');
    return true;
  } catch {
    return false;
  }
}

async function load(): Promise<Runtime> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    throw new PartMissing(error instanceof Error ? error.message : String(error));
  }
}
