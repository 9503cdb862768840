import { describe, expect, it } from 'vitest';
import { CALIBRATION_PAIRS, calibrate, scaleOf } from '../../../src/meaning/calibration.js';
import { MINILM_SCALE, openMiniLm } from '../../../src/meaning/minilm.js';
import { findMiniLm } from '../../../src/meaning/minilm-package.js';
import { randomFrom } from '../../index/support.js';
import { cosine } from './golden.js';

const DIM = 64;

function unit(values: ArrayLike<number>): Float32Array {
  const norm = Math.hypot(...Array.from(values));
  return Float32Array.from(values, (value) => value / norm);
}

/**
 * Points where a text of pair p lies at `knowledge` times the direction of its pair, plus noise of length 1, plus `common` times one
 * direction that all texts share.
 */
function space(knowledge: number, common: number) {
  const random = randomFrom(7);
  const direction = () => unit(Array.from({ length: DIM }, () => random() - 0.5));
  const shared = direction();
  const pairs = CALIBRATION_PAIRS.map(direction);
  const points = new Map(
    CALIBRATION_PAIRS.flatMap((texts, p) =>
      texts.map((text) => {
        const noise = direction();
        const at = (d: number) => knowledge * (pairs[p]?.[d] ?? 0) + (noise[d] ?? 0) + common * (shared[d] ?? 0);
        return [text, unit(Array.from({ length: DIM }, (_, d) => at(d)))];
      }),
    ),
  );
  return { embed: async (texts: readonly string[]) => texts.map((text) => points.get(text) as Float32Array) };
}

describe('what the cosines of an embedder say', () => {
  it('is nothing when it does not know what belongs together', async () => {
    expect(await calibrate(space(0, 0))).toBeUndefined();
    expect(await calibrate(space(0, 5))).toBeUndefined();
    expect(await calibrate(space(0.5, 0))).toBeUndefined();
  });

  it('has its own cutoff in every space: the same knowledge in a narrow cone lies higher', async () => {
    const wide = await calibrate(space(3, 0));
    const narrow = await calibrate(space(3, 6));
    expect(wide?.unrelated).toBeCloseTo(0, 1);
    expect(wide?.match).toBeGreaterThan(0.4);
    expect(wide?.match).toBeLessThan(0.7);
    expect(narrow?.unrelated).toBeGreaterThan(0.75);
    expect(narrow?.match).toBeGreaterThan(narrow?.unrelated ?? 1);
    expect(narrow?.same).toBeGreaterThan(narrow?.match ?? 1);
  });

  it('cannot be found out with texts that say the same twice', () => {
    const texts = CALIBRATION_PAIRS.flat();
    expect(new Set(texts).size).toBe(texts.length);
    expect(CALIBRATION_PAIRS.length).toBe(24);
  });

  it.skipIf(!findMiniLm() && !process.env['CI'])('of MiniLM is what was measured by hand', async () => {
    const model = await openMiniLm({ threads: 1 });
    try {
      const scale = await calibrate(model);
      expect(scale?.unrelated).toBeCloseTo(0.071, 2);
      expect(scale?.match).toBeCloseTo(0.4, 2);
      expect(Math.abs((scale?.match ?? 0) - MINILM_SCALE.match)).toBeLessThan(0.03);
    } finally {
      await model.close();
    }
  });

  it.skipIf(!findMiniLm() && !process.env['CI'])('of MiniLM moves with the pairs that it rests on', async () => {
    const model = await openMiniLm({ threads: 1 });
    try {
      const questions = await model.embed(CALIBRATION_PAIRS.map(([question]) => question));
      const lines = await model.embed(CALIBRATION_PAIRS.map(([, line]) => line));
      const cosines = questions.map((question) => lines.map((line) => cosine(question, line)));
      const random = randomFrom(3);
      const halves = Array.from({ length: 2000 }, () => {
        const order = CALIBRATION_PAIRS.map((_, i) => ({ i, at: random() })).sort((a, b) => a.at - b.at);
        return { known: order.slice(0, 12).map(({ i }) => i), other: order.slice(12).map(({ i }) => i) };
      });
      const cutoffs: number[] = [];
      const wrong = { passed: 0, all: 0 };
      const right = { passed: 0, all: 0 };
      for (const { known, other } of halves) {
        const match = scaleOf(known.map((i) => known.map((j) => cosines[i]?.[j] ?? 0)))?.match ?? 1;
        cutoffs.push(match);
        for (const i of other)
          for (const j of other) {
            const kind = i === j ? right : wrong;
            kind.all++;
            if ((cosines[i]?.[j] ?? 0) >= match) kind.passed++;
          }
      }
      cutoffs.sort((a, b) => a - b);
      expect(cutoffs[100]).toBeCloseTo(0.35, 2);
      expect(cutoffs[1900]).toBeCloseTo(0.45, 2);
      expect(wrong.passed / wrong.all).toBeCloseTo(0.0014, 3);
      expect(right.passed / right.all).toBeCloseTo(0.92, 1);
    } finally {
      await model.close();
    }
  });
});
