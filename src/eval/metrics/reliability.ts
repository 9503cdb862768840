/**
 * Whether a confidence means what it says (Guo et al., "On Calibration of Modern Neural Networks", ICML 2017): answers are sorted into
 * bins of equal width by their confidence; in each, the part that is right should equal the mean confidence. The expected calibration
 * error is the difference, weighted by the size of the bins.
 */

export interface Judged {
  /** 0..1 */
  readonly confidence: number;
  readonly right: boolean;
}

export interface ReliabilityBin {
  /** Half-open; the last one holds 1 too. */
  readonly from: number;
  readonly to: number;
  readonly count: number;
  /** Mean confidence of its answers, 0 when it has none. */
  readonly confidence: number;
  /** Part of its answers that is right, 0 when it has none. */
  readonly accuracy: number;
}

export interface Reliability {
  /** 0 is perfect, 1 the worst. */
  readonly expectedCalibrationError: number;
  readonly count: number;
  readonly bins: readonly ReliabilityBin[];
}

const BINS = 10;

export function reliability(answers: readonly Judged[]): Reliability {
  const binOf = ({ confidence }: Judged) => Math.min(BINS - 1, Math.max(0, Math.floor(confidence * BINS + 1e-9)));
  const bins = Array.from({ length: BINS }, (_, at): ReliabilityBin => {
    const inside = answers.filter((answer) => binOf(answer) === at);
    const mean = (value: (answer: Judged) => number) =>
      inside.length === 0 ? 0 : inside.reduce((sum, answer) => sum + value(answer), 0) / inside.length;
    return {
      from: at / BINS,
      to: (at + 1) / BINS,
      count: inside.length,
      confidence: mean(({ confidence }) => confidence),
      accuracy: mean(({ right }) => (right ? 1 : 0)),
    };
  });
  const gap = bins.reduce((sum, bin) => sum + bin.count * Math.abs(bin.accuracy - bin.confidence), 0);
  return { expectedCalibrationError: answers.length === 0 ? 0 : gap / answers.length, count: answers.length, bins };
}
