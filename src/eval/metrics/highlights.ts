/**
 * Highlight detection of QVHighlights (Lei et al., NeurIPS 2021): every clip of a video has a saliency from 0 to 4 by each of three
 * annotators; a clip is a highlight when it has at least 4 ("very good"). HIT@1: whether the clip with the highest predicted saliency is
 * a highlight of any annotator. mAP: average precision of the clips by predicted saliency, mean over annotators and queries.
 */

import { mean } from './grounding.js';

export const VERY_GOOD = 4;

/** 1 when the clip with the highest prediction (the first of equals) is a highlight for any annotator, else 0. */
export function hitAtOne(predicted: readonly number[], annotators: readonly (readonly number[])[]): number {
  if (predicted.length === 0) return 0;
  const first = predicted.indexOf(predicted.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY));
  return annotators.some((saliency) => (saliency[first] ?? 0) >= VERY_GOOD) ? 1 : 0;
}

/** Mean over the annotators of one query. Clips without a prediction have 0; predictions beyond the video are left out. */
export function highlightPrecision(predicted: readonly number[], annotators: readonly (readonly number[])[]): number {
  return mean(annotators.map((saliency) => clipPrecision(predicted, saliency)));
}

/** Equal predictions are one step of the curve, as in scikit-learn, so their order does not matter; each step that finds something counts alike. */
function clipPrecision(predicted: readonly number[], saliency: readonly number[]): number {
  const isHighlight = saliency.map((score) => score >= VERY_GOOD);
  if (!isHighlight.includes(true)) return 0;
  if (!isHighlight.includes(false)) return 1;
  const scores = isHighlight.map((_, clip) => predicted[clip] ?? 0);
  let [right, seen] = [0, 0];
  const steps = [...new Set(scores)]
    .sort((a, b) => b - a)
    .map((level) => {
      const here = isHighlight.filter((_, clip) => scores[clip] === level);
      const found = here.filter(Boolean).length;
      right += found;
      seen += here.length;
      return { found, precision: right / seen };
    });
  const finding = steps.flatMap(({ found }, at) =>
    found > 0 ? [Math.max(...steps.slice(at).map(({ precision }) => precision))] : [],
  );
  return mean(finding);
}
