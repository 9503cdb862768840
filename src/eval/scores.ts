/** From answers to figures, by kind of item: which metrics a benchmark reports. */

import type { Item, ItemKind, Pair } from './item.js';
import { letterOf } from './item.js';
import { levenshteinSimilarity } from './metrics/anls.js';
import { MAP_THRESHOLDS, meanAveragePrecision } from './metrics/average-precision.js';
import { firstIoU, mean, recallAtOne, setIoU } from './metrics/grounding.js';
import { highlightPrecision, hitAtOne } from './metrics/highlights.js';
import { LOCALISATION_THRESHOLDS, localisation } from './metrics/localisation.js';
import type { Judged } from './metrics/reliability.js';
import { countSpans, spanF1 } from './metrics/span-f1.js';

/** One number of the report. */
export interface Figure {
  readonly name: string;
  /** 0..1 */
  readonly value: number;
  /** Items that it rests on. */
  readonly count: number;
}

/** A span is right from this IoU on, where one threshold is needed. */
const RIGHT_IOU = 0.5;

type ItemOf<K extends ItemKind> = Extract<Item, { readonly kind: K }>;

function ofKind<K extends ItemKind>(pairs: readonly Pair[], kind: K): Pair<ItemOf<K>>[] {
  return pairs.filter((pair): pair is Pair<ItemOf<K>> => pair.item.kind === kind);
}

const spansOf = ({ prediction }: Pair) => prediction?.spans ?? [];

/** Mean IoU and R@1 of queries that have an answer, as for Charades-STA and its relatives. */
export function scoreGrounding(pairs: readonly Pair[]): Figure[] {
  const asked = ofKind(pairs, 'grounding').filter(({ item }) => item.spans.length > 0);
  const ious = asked.map((pair) => firstIoU(spansOf(pair), pair.item.spans));
  const figure = (name: string, value: number) => ({ name, value, count: asked.length });
  return [
    figure('mIoU', mean(ious)),
    ...[0.3, 0.5, 0.7].map((threshold) => figure(`R1@${threshold}`, recallAtOne(ious, threshold))),
  ];
}

/** As `scoreGrounding`, and what questions with no, one or several answers need besides: sets of spans, and the courage to say no. */
export function scoreSets(pairs: readonly Pair[]): Figure[] {
  const all = ofKind(pairs, 'grounding');
  const answered = all.filter(({ prediction }) => prediction !== undefined);
  const some = all.filter(({ item }) => item.spans.length > 0);
  const none = answered.filter(({ item }) => item.spans.length === 0);
  const { precision, recall, f1 } = spanF1(all.map((pair) => countSpans(spansOf(pair), pair.item.spans, RIGHT_IOU)));
  return [
    ...scoreGrounding(pairs),
    {
      name: 'set IoU',
      value: mean(some.map((pair) => setIoU(spansOf(pair), pair.item.spans))),
      count: some.length,
    },
    { name: `F1@${RIGHT_IOU}`, value: f1, count: all.length },
    { name: `precision@${RIGHT_IOU}`, value: precision, count: all.length },
    { name: `recall@${RIGHT_IOU}`, value: recall, count: all.length },
    ...(none.length === 0
      ? []
      : [
          {
            name: 'false-hit rate',
            value: mean(none.map((pair) => (spansOf(pair).length > 0 ? 1 : 0))),
            count: none.length,
          },
        ]),
    {
      name: 'false "no match"',
      value: mean(some.map((pair) => (pair.prediction && spansOf(pair).length === 0 ? 1 : 0))),
      count: some.length,
    },
  ];
}

/** QVHighlights: R@1 and mAP of moments; HIT@1 and mAP of highlights where answers rate the clips. */
export function scoreMoments(pairs: readonly Pair[]): Figure[] {
  const asked = ofKind(pairs, 'grounding').filter(({ item }) => item.spans.length > 0);
  const queries = asked.map((pair) => ({ found: spansOf(pair), truth: pair.item.spans }));
  const ious = queries.map(({ found, truth }) => firstIoU(found, truth));
  const figure = (name: string, value: number) => ({ name, value, count: asked.length });
  const precisions = new Map(MAP_THRESHOLDS.map((at) => [at, meanAveragePrecision(queries, at)]));
  const rated = asked.flatMap(({ item, prediction }) =>
    item.saliency && prediction?.saliency ? [{ predicted: prediction.saliency, truth: item.saliency }] : [],
  );
  return [
    figure('mIoU', mean(ious)),
    figure('R1@0.5', recallAtOne(ious, 0.5)),
    figure('R1@0.7', recallAtOne(ious, 0.7)),
    figure('mAP', mean([...precisions.values()])),
    figure('mAP@0.5', precisions.get(0.5) ?? 0),
    figure('mAP@0.75', precisions.get(0.75) ?? 0),
    ...(rated.length === 0
      ? []
      : [
          {
            name: 'HIT@1',
            value: mean(rated.map(({ predicted, truth }) => hitAtOne(predicted, truth))),
            count: rated.length,
          },
          {
            name: 'highlight mAP',
            value: mean(rated.map(({ predicted, truth }) => highlightPrecision(predicted, truth))),
            count: rated.length,
          },
        ]),
  ];
}

/** ActivityNet Captions: where events lie. */
export function scoreLocalisation(pairs: readonly Pair[]): Figure[] {
  const videos = ofKind(pairs, 'events');
  const at = LOCALISATION_THRESHOLDS.map((threshold) => {
    const each = videos.map((pair) => localisation(spansOf(pair), pair.item.truths, threshold));
    return {
      threshold,
      precision: mean(each.map(({ precision }) => precision)),
      recall: mean(each.map(({ recall }) => recall)),
    };
  });
  const count = videos.length;
  return [
    { name: 'precision', value: mean(at.map(({ precision }) => precision)), count },
    { name: 'recall', value: mean(at.map(({ recall }) => recall)), count },
    ...at.flatMap(({ threshold, precision, recall }) => [
      { name: `precision@${threshold}`, value: precision, count },
      { name: `recall@${threshold}`, value: recall, count },
    ]),
  ];
}

/** Events of videos whose truth is exact: one-to-one F1. */
export function scoreEvents(pairs: readonly Pair[]): Figure[] {
  const videos = ofKind(pairs, 'events');
  return [0.5, 0.75, 0.9].flatMap((threshold) => {
    const counts = videos.map((pair) => countSpans(spansOf(pair), pair.item.truths[0] ?? [], threshold));
    const { precision, recall, f1 } = spanF1(counts);
    const count = counts.reduce((sum, { true: events }) => sum + events, 0);
    return [
      { name: `F1@${threshold}`, value: f1, count },
      { name: `precision@${threshold}`, value: precision, count },
      { name: `recall@${threshold}`, value: recall, count },
    ];
  });
}

/** Multiple choice: the part of the questions that is answered with the right letter. */
export function scoreChoices(pairs: readonly Pair[]): Figure[] {
  const asked = ofKind(pairs, 'choice');
  return [{ name: 'accuracy', value: mean(asked.map((pair) => (isRight(pair) ? 1 : 0))), count: asked.length }];
}

/** Documents: ANLS, and the part that is answered to the letter. */
export function scoreDocuments(pairs: readonly Pair[]): Figure[] {
  const asked = ofKind(pairs, 'document');
  const similarities = asked.map(({ item, prediction }) =>
    levenshteinSimilarity(prediction?.answer ?? '', item.answers),
  );
  const count = asked.length;
  return [
    { name: 'ANLS', value: mean(similarities), count },
    { name: 'exact', value: mean(similarities.map((similarity) => (similarity === 1 ? 1 : 0))), count },
  ];
}

/** Answers that came with a confidence, and whether they were right; the confidence of spans is the score of the first one. */
export function judged(pairs: readonly Pair[]): Judged[] {
  return pairs.flatMap((pair) => {
    const confidence = pair.prediction?.confidence ?? spansOf(pair)[0]?.score;
    return confidence === undefined || pair.item.kind === 'events' ? [] : [{ confidence, right: isRight(pair) }];
  });
}

function isRight({ item, prediction }: Pair): boolean {
  if (!prediction) return false;
  switch (item.kind) {
    case 'grounding': {
      const found = prediction.spans ?? [];
      return item.spans.length === 0 ? found.length === 0 : firstIoU(found, item.spans) >= RIGHT_IOU;
    }
    case 'choice':
      return prediction.choice === letterOf(item.correct);
    case 'document':
      return levenshteinSimilarity(prediction.answer ?? '', item.answers) === 1;
    case 'events':
      return false;
    default:
      return item satisfies never;
  }
}
