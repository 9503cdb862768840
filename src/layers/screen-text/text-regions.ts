/**
 * From the detector's map of probabilities to the places of text lines: the post-processing of DBNet (Liao et al. 2020, "Real-time Scene Text
 * Detection with Differentiable Binarization", §3.4), for rectangles.
 */

import { type Point, type SlantedBox, smallestBox } from './geometry.js';

export interface ProbabilityMap {
  readonly width: number;
  readonly height: number;
  /** Row by row, 0..1: how surely the pixel lies in the inner part of a line of text. */
  readonly data: Float32Array;
}

export interface TextRegion {
  readonly box: SlantedBox;
  /** Mean probability of its pixels, 0..1. */
  readonly score: number;
}

/** A pixel above this belongs to a line. PP-OCR's own value. */
const PIXEL_THRESHOLD = 0.3;
/** A line's mean probability is at least this. PP-OCR's own value is 0.6. */
export const REGION_THRESHOLD = 0.5;
/** The map shows lines shrunk by `area × (1 − 0.4²) / perimeter` in training; this much is added back (PP-OCR's `unclip_ratio`). */
const UNCLIP_RATIO = 1.6;
/** Regions that are lower than this are specks. */
const MIN_HEIGHT = 3;
/** A line that runs down the picture is this much longer than it is thick, as PP-OCR has it. */
const COLUMN = 1.5;
/** More is no text, but a pattern. */
const MAX_REGIONS = 300;

/** Places of text lines, the surest first, in pixels of the map. */
export function findRegions(map: ProbabilityMap): TextRegion[] {
  const regions: TextRegion[] = [];
  for (const { edge, count, sum } of components(map)) {
    const score = sum / count;
    if (score < REGION_THRESHOLD) continue;
    const core = smallestBox(edge);
    // Points are centres of pixels: the region reaches half a pixel further each way.
    const [width, height] = [core.width + 1, core.height + 1];
    if (height < MIN_HEIGHT) continue;
    const grown = (2 * width * height * UNCLIP_RATIO) / (2 * (width + height));
    const centre = { x: core.centre.x + 0.5, y: core.centre.y + 0.5 };
    regions.push({ box: readable({ centre, width: width + grown, height: height + grown, angle: core.angle }), score });
  }
  return regions.sort((a, b) => b.score - a.score).slice(0, MAX_REGIONS);
}

/** A box that stands, but not like a column of text, is a short word: its line runs across, along the shorter side. */
function readable(box: SlantedBox): SlantedBox {
  if (Math.abs(box.angle) <= Math.PI / 4 || box.width >= COLUMN * box.height) return box;
  const angle = box.angle > 0 ? box.angle - Math.PI / 2 : box.angle + Math.PI / 2;
  return { centre: box.centre, width: box.height, height: box.width, angle };
}

interface Component {
  /** The leftmost and rightmost pixel of each row: its hull is that of all pixels. */
  readonly edge: Point[];
  count: number;
  sum: number;
}

/** Pixels above the threshold that touch each other, also by a corner. */
function components({ width, height, data }: ProbabilityMap): Component[] {
  const seen = new Uint8Array(width * height);
  const found: Component[] = [];
  const stack: number[] = [];
  for (let start = 0; start < data.length; start++) {
    if (seen[start] || (data[start] ?? 0) <= PIXEL_THRESHOLD) continue;
    const rows = new Map<number, { left: number; right: number }>();
    const component: Component = { edge: [], count: 0, sum: 0 };
    seen[start] = 1;
    stack.push(start);
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const y = Math.floor(at / width);
      const x = at - y * width;
      component.count++;
      component.sum += data[at] ?? 0;
      const row = rows.get(y);
      if (!row) rows.set(y, { left: x, right: x });
      else if (x < row.left) row.left = x;
      else if (x > row.right) row.right = x;
      for (let ny = Math.max(0, y - 1); ny <= Math.min(height - 1, y + 1); ny++) {
        for (let nx = Math.max(0, x - 1); nx <= Math.min(width - 1, x + 1); nx++) {
          const next = ny * width + nx;
          if (seen[next] || (data[next] ?? 0) <= PIXEL_THRESHOLD) continue;
          seen[next] = 1;
          stack.push(next);
        }
      }
    }
    for (const [y, { left, right }] of rows) {
      component.edge.push({ x: left, y });
      if (right > left) component.edge.push({ x: right, y });
    }
    found.push(component);
  }
  return found;
}
