/** What an evaluation says: figures, also by group, how far confidence can be believed, and what others published. */

import type { Evaluation } from './evaluate.js';
import type { Pair } from './item.js';
import { type Reliability, reliability } from './metrics/reliability.js';
import { type Figure, judged } from './scores.js';
import type { Suite } from './suite.js';

/** The document of `--json` and `report.json`. Values are parts of 1. */
export interface Report {
  readonly suite: string;
  readonly by: string;
  readonly items: {
    readonly total: number;
    /** Items that the figures rest on. */
    readonly scored: number;
    readonly answered: number;
    readonly failed: number;
    readonly missing_media: number;
    readonly unknown_predictions: number;
  };
  readonly interrupted: boolean;
  readonly figures: readonly Figure[];
  readonly groups: readonly { readonly by: string; readonly name: string; readonly figures: readonly Figure[] }[];
  readonly reliability?: Reliability;
  readonly published: readonly {
    readonly model: string;
    readonly figure: string;
    readonly value: number;
    readonly source: string;
  }[];
  /** The first of each. */
  readonly missing_media: readonly string[];
  readonly failures: Evaluation['failures'];
}

const SHOWN = 20;

export function reportOf(suite: Suite, evaluation: Evaluation): Report {
  const { pairs, missing, failures } = evaluation;
  const believed = judged(pairs);
  return {
    suite: suite.name,
    by: evaluation.by,
    items: {
      total: evaluation.total,
      scored: pairs.length,
      answered: pairs.filter(({ prediction }) => prediction !== undefined).length,
      failed: failures.length,
      missing_media: missing.length,
      unknown_predictions: evaluation.strangers,
    },
    interrupted: evaluation.interrupted,
    figures: suite.score(pairs),
    groups: (suite.groupedBy ?? []).flatMap((by) =>
      [...groupsOf(pairs, by)].map(([name, group]) => ({ by, name, figures: suite.score(group) })),
    ),
    ...(believed.length === 0 ? {} : { reliability: reliability(believed) }),
    published: suite.published ?? [],
    missing_media: [...new Set(missing)].slice(0, SHOWN),
    failures: failures.slice(0, SHOWN),
  };
}

/** In the order in which the annotations bring them. */
function groupsOf(pairs: readonly Pair[], by: string): Map<string, Pair[]> {
  const groups = new Map<string, Pair[]>();
  for (const pair of pairs) {
    const name = pair.item.groups?.[by];
    if (name === undefined) continue;
    const group = groups.get(name);
    if (group) group.push(pair);
    else groups.set(name, [pair]);
  }
  return groups;
}

/** Rows of the tables that a person reads: figures in percent, groups beside them, then reliability and published figures. */
export function reportTables(report: Report): { readonly title: string; readonly rows: string[][] }[] {
  const tables = [
    {
      title: `${report.suite}, by ${report.by}`,
      rows: report.figures.map(({ name, value, count }) => [name, percent(value), `${count} items`]),
    },
  ];
  for (const by of new Set(report.groups.map((group) => group.by))) {
    const groups = report.groups.filter((group) => group.by === by);
    const names = groups[0]?.figures.map(({ name }) => name) ?? [];
    tables.push({
      title: `By ${by}`,
      rows: [
        [by, ...names, 'items'],
        ...groups.map(({ name, figures }) => [
          name,
          ...names.map((column) => {
            const value = figures.find((figure) => figure.name === column)?.value;
            return value === undefined ? '' : percent(value);
          }),
          String(figures[0]?.count ?? 0),
        ]),
      ],
    });
  }
  const { reliability: calibration } = report;
  if (calibration) {
    tables.push({
      title: `Confidence: expected calibration error ${percent(calibration.expectedCalibrationError)} of ${calibration.count} answers`,
      rows: [
        ['confidence', 'answers', 'mean', 'right'],
        ...calibration.bins
          .filter(({ count }) => count > 0)
          .map((bin) => [
            `${bin.from.toFixed(1)} to ${bin.to.toFixed(1)}`,
            String(bin.count),
            percent(bin.confidence),
            percent(bin.accuracy),
          ]),
      ],
    });
  }
  if (report.published.length > 0) {
    tables.push({
      title: 'Published by others, not reproduced here',
      rows: report.published.map(({ model, figure, value, source }) => [
        figure,
        percent(value),
        `${model} (${source})`,
      ]),
    });
  }
  return tables;
}

function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}
