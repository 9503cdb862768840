/**
 * What the cosines of an embedder say, found out with questions and lines whose kinship is known. Needed where nobody has measured it:
 * spaces differ so much that a cutoff of one means nothing in another, and a wrong one makes "no match" a lie.
 */

import type { Embedder, SimilarityScale } from './embedder.js';

/** Raised when the pairs or the rule change. */
export const CALIBRATION_VERSION = 1;

/**
 * A question, and a line that answers it in other words; no line answers another's question. Everyday things that films show, short as
 * captions and subtitles are.
 */
export const CALIBRATION_PAIRS: readonly (readonly [question: string, line: string])[] = [
  ['a dog runs after a ball', 'The puppy chases its toy across the lawn.'],
  ['when does it start to rain?', 'Suddenly it is pouring and everybody opens an umbrella.'],
  ['someone cooks dinner', 'She stirs the soup and slices onions in the kitchen.'],
  ['a car breaks down', 'The engine smokes and the vehicle stops at the roadside.'],
  ['the baby falls asleep', 'The infant closes its eyes in the cradle.'],
  ['a goal is scored', 'The striker kicks the football into the net.'],
  ['people get married', 'The bride and the groom exchange rings at the altar.'],
  ['a plane takes off', 'The aircraft leaves the runway and climbs into the sky.'],
  ['somebody plays music', 'A woman sits at the piano and performs a sonata.'],
  ['a doctor treats a patient', 'The surgeon bandages the wounded man at the hospital.'],
  ['the house burns', 'Flames come out of the windows and firemen bring hoses.'],
  ['a thief steals money', 'A masked robber empties the safe of the bank.'],
  ['children learn at school', 'Pupils raise their hands while the teacher writes on the blackboard.'],
  ['a ship sinks', 'The vessel goes down and the sailors jump into lifeboats.'],
  ['the king dies', 'The monarch breathes his last and the crown passes on.'],
  ['somebody climbs a mountain', 'Two hikers reach the summit with ropes and ice axes.'],
  ['how is the bread made?', 'The baker kneads dough and puts loaves into the oven.'],
  ['a computer is repaired', 'The technician replaces the hard disk of the laptop.'],
  ['a horse race', 'Jockeys gallop towards the finishing line.'],
  ['a man shaves', 'He puts foam on his beard and takes a razor.'],
  ['flowers are watered', 'The gardener sprinkles the roses.'],
  ['the lights go out', 'The lamps fail and the room is dark.'],
  ['a letter arrives', 'The postman hands over an envelope.'],
  ['somebody swims', 'An athlete dives into the pool and does the crawl.'],
];

/** Deviations above the mean of unrelated pairs: of a bell-shaped distribution, one pair in 31,000 lies there. */
const DEVIATIONS = 4;
/** Share of the right pairs that must reach the cutoff. An embedder that loses more does not know what it compares. */
const LEAST_FOUND = 0.5;

/**
 * The scale of an embedder, or undefined when it cannot tell answers from other lines.
 *
 * Every question is compared with every line. `match` is the highest cosine of a question with a line that is not its own, or the mean
 * of those plus four deviations, whichever is more. With 24 pairs it is an estimate; docs/design.md says how far it moves. When fewer than half of the right pairs reach it, there is no scale.
 * @throws {LongwatchError} as `Embedder.embed`
 */
export async function calibrate(
  embedder: Pick<Embedder, 'embed'>,
  signal?: AbortSignal,
): Promise<SimilarityScale | undefined> {
  const questions = await embedder.embed(
    CALIBRATION_PAIRS.map(([question]) => question),
    signal,
  );
  const lines = await embedder.embed(
    CALIBRATION_PAIRS.map(([, line]) => line),
    signal,
  );
  return scaleOf(questions.map((question) => lines.map((line) => dot(question, line))));
}

/** The rule alone. @param cosines of every question with every line; a question's own line has its number */
export function scaleOf(cosines: readonly (readonly number[])[]): SimilarityScale | undefined {
  const right: number[] = [];
  const unrelated: number[] = [];
  for (const [i, row] of cosines.entries())
    for (const [j, cosine] of row.entries()) (i === j ? right : unrelated).push(cosine);
  const mean = unrelated.reduce((sum, cosine) => sum + cosine, 0) / unrelated.length;
  const variance = unrelated.reduce((sum, cosine) => sum + (cosine - mean) ** 2, 0) / unrelated.length;
  const match = Math.max(mean + DEVIATIONS * Math.sqrt(variance), ...unrelated);
  const found = right.filter((cosine) => cosine > match).length;
  if (found < LEAST_FOUND * right.length) return undefined;
  return { unrelated: mean, match, same: Math.max(...right) };
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}
