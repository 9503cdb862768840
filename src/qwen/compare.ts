/**
 * Holds a checkpoint, as it is built and run here, against goldens: what the reference implementation computed with the same weights.
 * Nothing is laid open for it: tokens, template, pictures, positions and both graphs are asked as they are for an answer.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { LongwatchError, toLongwatchError } from '../errors.js';
import { type BuildProgress, buildModel } from './build.js';
import type { Device, DeviceChoice } from './device.js';
import { type GoldenCase, type GoldenFolder, openGolden } from './golden.js';
import { GoldenRunner, type Outcome } from './golden-case.js';
import type { BuiltManifest } from './manifest.js';
import { Preprocessor } from './preprocess.js';
import { QwenRuntime } from './runtime.js';
import type { Dtype } from './weight-format.js';

export interface CompareOptions {
  /** @default 'fp32' */
  readonly dtype?: Dtype;
  /** @default 'cpu' */
  readonly device?: DeviceChoice;
  /** Threads that one operator may use. @default half the cores, 1 to 4 */
  readonly threads?: number;
  /** Where the model is built for the time of the comparison; it needs room for the model. @default the system's temporary folder */
  readonly workFolder?: string;
  readonly onBuild?: (progress: BuildProgress) => void;
  readonly onCase?: (report: CaseReport) => void;
  readonly signal?: AbortSignal;
}

export interface TensorReport {
  readonly name: string;
  /** max |computed − golden| */
  readonly absolute: number;
  /** `absolute` / max |golden| */
  readonly relative: number;
  /** √mean (computed − golden)² / √mean golden² */
  readonly spread: number;
  /** Which of the two is judged: the largest error with exact weights, the spread with rounded ones. */
  readonly judged: 'relative' | 'spread';
  /** What it may be. */
  readonly bound: number;
}

export interface CaseReport {
  readonly kind: GoldenCase['kind'];
  readonly name: string;
  readonly ok: boolean;
  readonly tensors: readonly TensorReport[];
  /** Whether everything that must be equal is; undefined where there is no such thing. */
  readonly equal?: boolean;
  /** What is not equal. */
  readonly differences: readonly { readonly name: string; readonly expected: unknown; readonly found: unknown }[];
}

export interface Comparison {
  readonly dtype: Dtype;
  readonly device: Device;
  readonly cases: readonly CaseReport[];
  /** The case whose tensor came nearest to its bound, or passed it; undefined without tensors. */
  readonly worst?: { readonly kind: GoldenCase['kind']; readonly case: string } & TensorReport;
  /** Generations whose tokens are all equal, of how many. */
  readonly greedy: { readonly equal: number; readonly of: number };
  readonly ok: boolean;
}

/**
 * Spread with rounded weights. The bounds are wide: random checkpoints have no redundancy, so rounding weighs more than in trained ones.
 * Wrong arithmetic gives numbers that have nothing to do with the golden ones, and so a spread around 1.4.
 */
const SPREAD_BOUNDS: Readonly<Record<Exclude<Dtype, 'fp32'>, number>> = { fp16: 0.005, int8: 0.2, q4: 0.8 };

/**
 * Builds the checkpoint into a folder that is removed afterwards, and runs every case.
 * @param directory of the checkpoint
 * @param goldenDirectory in the form that fixtures/golden/README.md of the source repository states
 * @throws {LongwatchError} `invalid_input` when the goldens are not of that form or belong to other weights; whatever `buildModel` and
 * the runtime throw
 */
export async function compareWithGolden(
  directory: string,
  goldenDirectory: string,
  options: CompareOptions = {},
): Promise<Comparison> {
  const dtype = options.dtype ?? 'fp32';
  const golden = await openGolden(goldenDirectory);
  try {
    return await inTemporaryFolder(options.workFolder ?? os.tmpdir(), async (folder) => {
      const built = path.join(folder, 'model');
      const manifest = await buildModel(directory, built, {
        dtype,
        // The comparison itself tests more.
        selfTest: false,
        ...(golden.adapter === null ? {} : { adapter: path.join(golden.directory, 'adapter') }),
        ...(options.onBuild ? { onProgress: options.onBuild } : {}),
        ...(options.signal ? { signal: options.signal } : {}),
      });
      checkWeights(golden, manifest);
      return compareBuilt(golden, built, dtype, options);
    });
  } finally {
    await golden.tensors.close();
  }
}

async function compareBuilt(
  golden: GoldenFolder,
  built: string,
  dtype: Dtype,
  { device, threads, signal, onCase }: CompareOptions,
): Promise<Comparison> {
  const runtime = await QwenRuntime.open(built, {
    ...(device ? { device } : {}),
    ...(threads ? { threads } : {}),
    ...(signal ? { signal } : {}),
  });
  const preprocessor = new Preprocessor();
  try {
    const runner = new GoldenRunner(golden, runtime, preprocessor);
    const cases: CaseReport[] = [];
    for (const entry of golden.cases) {
      const report = await judge(entry, await runner.run(entry, signal), golden, dtype);
      onCase?.(report);
      cases.push(report);
    }
    const generations = cases.filter(({ kind }) => kind === 'generation');
    const worst = worstOf(cases);
    return {
      dtype,
      device: runtime.device,
      cases,
      ...(worst ? { worst } : {}),
      greedy: { equal: generations.filter(({ equal }) => equal).length, of: generations.length },
      ok: cases.every(({ ok }) => ok),
    };
  } finally {
    await preprocessor.close();
    await runtime.close();
  }
}

async function judge(entry: GoldenCase, outcome: Outcome, golden: GoldenFolder, dtype: Dtype): Promise<CaseReport> {
  // Rounded weights take no part in these.
  const rule =
    dtype === 'fp32' || entry.kind === 'rotary'
      ? ({ judged: 'relative', bound: entry.tolerance ?? golden.tolerance } as const)
      : ({ judged: 'spread', bound: SPREAD_BOUNDS[dtype] } as const);
  const tensors: TensorReport[] = [];
  for (const { name, golden: stored, values } of outcome.tensors)
    tensors.push({ name, ...errors(values, await golden.tensors.float32(stored), stored), ...rule });
  const differences = outcome.facts.filter(({ expected, found }) => JSON.stringify(expected) !== JSON.stringify(found));
  const equal = outcome.facts.length === 0 ? undefined : differences.length === 0;
  // A choice that is won narrowly may fall the other way with rounded weights; the logits have their own bound.
  const demanded = dtype === 'fp32' || entry.kind !== 'generation';
  return {
    kind: entry.kind,
    name: entry.name,
    ok: tensors.every((tensor) => shareOfBound(tensor) <= 1) && (equal !== false || !demanded),
    tensors,
    ...(equal === undefined ? {} : { equal }),
    differences,
  };
}

type Errors = Pick<TensorReport, 'absolute' | 'relative' | 'spread'>;

function errors(values: Float32Array, golden: Float32Array, name: string): Errors {
  if (values.length !== golden.length)
    throw new LongwatchError(
      'invalid_input',
      `The golden tensor "${name}" has ${golden.length} numbers; the checkpoint gives ${values.length}.`,
      { hint: 'Compare a checkpoint with goldens that were made from its own config.json.' },
    );
  let [absolute, largest, offSquares, squares] = [0, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const expected = golden[i] as number;
    const off = Math.abs((values[i] as number) - expected);
    // What is not a number is as far off as can be.
    absolute = Math.max(absolute, Number.isNaN(off) ? Number.POSITIVE_INFINITY : off);
    largest = Math.max(largest, Math.abs(expected));
    offSquares += off * off;
    squares += expected * expected;
  }
  if (absolute === 0) return { absolute, relative: 0, spread: 0 };
  if (absolute === Number.POSITIVE_INFINITY) return { absolute, relative: absolute, spread: absolute };
  return { absolute, relative: absolute / largest, spread: Math.sqrt(offSquares / squares) };
}

function shareOfBound(tensor: TensorReport): number {
  return tensor[tensor.judged] / tensor.bound;
}

function worstOf(cases: readonly CaseReport[]): Comparison['worst'] {
  const all = cases.flatMap(({ kind, name, tensors }) => tensors.map((tensor) => ({ kind, case: name, ...tensor })));
  return all.reduce<Comparison['worst']>(
    (worst, next) => (worst && shareOfBound(worst) >= shareOfBound(next) ? worst : next),
    undefined,
  );
}

function checkWeights(golden: GoldenFolder, manifest: BuiltManifest): void {
  const found = new Map([...manifest.source, ...(manifest.adapter ?? [])].map(({ name, sha256 }) => [name, sha256]));
  for (const [name, sha256] of Object.entries({ ...golden.checkpoint, ...golden.adapter }))
    if (found.get(name) !== sha256)
      throw new LongwatchError(
        'invalid_input',
        `The goldens belong to other weights: ${name} has the SHA-256 ${found.get(name) ?? '(there is no such file)'}, not ${sha256}.`,
        { path: golden.directory, hint: 'Compare the checkpoint that the goldens were made from.' },
      );
}

async function inTemporaryFolder<T>(parent: string, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(parent, 'longwatch-compare-')).catch((error: unknown) => {
    throw toLongwatchError(error, parent);
  });
  try {
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
