/**
 * Charades-STA (Gao et al., "TALL: Temporal Activity Localization via Language Query", ICCV 2017): when does it happen, in clips of
 * half a minute. One line per query: `VIDEO START END##SENTENCE`.
 */

import { invalid, readLines } from '../annotations.js';
import type { GroundingItem } from '../item.js';
import { scoreGrounding } from '../scores.js';
import type { PublishedFigure, Suite } from '../suite.js';

const LINE = /^(\S+) +(\d+(?:\.\d+)?) +(\d+(?:\.\d+)?) *## *(.*\S)\s*$/;

/** QwenLM/Qwen2.5-VL, README of February 2025. */
const QWEN: Omit<PublishedFigure, 'model' | 'value'> = { figure: 'mIoU', source: 'Qwen2.5-VL README' };

export const charadesSta: Suite = {
  name: 'charades-sta',
  title: 'Charades-STA: when does a sentence happen, in short clips of homes',
  expects: 'charades_sta_test.txt',
  kind: 'grounding',
  ways: ['library', 'model', 'grounded'],
  published: [
    { ...QWEN, model: 'Qwen2.5-VL-3B', value: 0.388 },
    { ...QWEN, model: 'Qwen2.5-VL-7B', value: 0.436 },
  ],
  async read(folder) {
    const [file] = folder.annotations([/^charades_sta_test\.txt$/i, /^charades_sta.*\.txt$/i], this.expects);
    return (await readLines(file)).map(({ value, where }, at): GroundingItem => {
      const [, media, from, to, query] = LINE.exec(value) ?? [];
      if (media === undefined || query === undefined) throw invalid(where, 'it is not "VIDEO START END##SENTENCE"');
      const [a, b] = [Number(from), Number(to)];
      return {
        kind: 'grounding',
        id: `${media}#${at + 1}`,
        media,
        query,
        spans: [{ start: Math.min(a, b), end: Math.max(a, b) }],
      };
    });
  },
  score: scoreGrounding,
};
