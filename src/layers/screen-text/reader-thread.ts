/** The thread of a `PpOcrReader`: both graphs, and all work on pixels that goes before and after them. */

import type { Tensor } from '../../onnx/element-type.js';
import { type RuntimeOptions, RuntimeSession } from '../../onnx/runtime-session.js';
import { serveCalls } from '../../onnx/thread-calls.js';
import { type Reading, readSteps } from './ctc.js';
import { DETECTOR_STRIDE, detectorInput } from './detector-input.js';
import type { SlantedBox } from './geometry.js';
import type { RgbPixels } from './pixels.js';
import { CHARACTERS, type PpOcrFiles } from './ppocr-package.js';
import { cutStrip, STRIP_HEIGHT } from './strip.js';
import { findRegions, type TextRegion } from './text-regions.js';

export type ReaderCalls = {
  readonly open: {
    readonly request: { readonly files: PpOcrFiles; readonly options: RuntimeOptions };
    readonly answer: null;
  };
  readonly find: { readonly request: RgbPixels; readonly answer: readonly TextRegion[] };
  readonly recognise: {
    readonly request: { readonly picture: RgbPixels; readonly boxes: readonly SlantedBox[] };
    readonly answer: readonly Reading[];
  };
};

let detector: RuntimeSession | undefined;
let recogniser: RuntimeSession | undefined;

async function run(session: RuntimeSession | undefined, data: Float32Array, height: number, width: number) {
  const input = session?.inputs[0];
  const output = session?.outputs[0];
  if (!session || input === undefined || output === undefined) throw new Error('No model is open.');
  const feed: Tensor = { type: 'float32', shape: [1, 3, height, width], data };
  const answer = (await session.run({ [input]: feed }, [output]))[output];
  if (answer?.type !== 'float32') throw new Error('The model answered with a tensor of another type.');
  return answer;
}

serveCalls<ReaderCalls>(
  {
    async open({ files, options }) {
      detector = await RuntimeSession.open(files.detector, options);
      recogniser = await RuntimeSession.open(files.recogniser, options);
      return { answer: null };
    },
    async find(picture) {
      const { width, height } = picture;
      if (width % DETECTOR_STRIDE !== 0 || height % DETECTOR_STRIDE !== 0)
        throw new Error(`${width} × ${height} is no size that the detector can read.`);
      const { data } = await run(detector, detectorInput(picture), height, width);
      return { answer: findRegions({ width, height, data }) };
    },
    async recognise({ picture, boxes }) {
      const readings: Reading[] = [];
      for (const box of boxes) {
        const strip = cutStrip(picture, box);
        const { data, shape } = await run(recogniser, strip.data, STRIP_HEIGHT, strip.width);
        const classes = shape.at(-1) ?? 0;
        if (classes !== CHARACTERS.length + 1) throw new Error(`The recogniser knows ${classes} classes.`);
        readings.push(readSteps({ classes, data }, CHARACTERS));
      }
      return { answer: readings };
    },
  },
  async () => {
    await detector?.release();
    await recogniser?.release();
  },
);
