/** Rectangles of text in a picture: upright boxes, and boxes that may be slanted. Pixels, y downwards. */

/** Upright: left, top, width, height. */
export type Box = readonly [x: number, y: number, width: number, height: number];

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A rectangle that is turned clockwise by `angle` about its centre. `width` runs along the line of text. */
export interface SlantedBox {
  readonly centre: Point;
  readonly width: number;
  readonly height: number;
  /** Radians, in (−π/2, π/2]. */
  readonly angle: number;
}

/** The smallest upright box around a slanted one, cut to a picture of this size. */
export function uprightBox(
  { centre, width, height, angle }: SlantedBox,
  picture: { width: number; height: number },
): Box {
  const [cos, sin] = [Math.abs(Math.cos(angle)), Math.abs(Math.sin(angle))];
  const [halfWidth, halfHeight] = [(width * cos + height * sin) / 2, (width * sin + height * cos) / 2];
  const left = Math.max(0, centre.x - halfWidth);
  const top = Math.max(0, centre.y - halfHeight);
  return [
    left,
    top,
    Math.max(0, Math.min(picture.width, centre.x + halfWidth) - left),
    Math.max(0, Math.min(picture.height, centre.y + halfHeight) - top),
  ];
}

/** Shared area over the area of both, 0..1. */
export function boxIoU(a: Box, b: Box): number {
  const shared = sharedArea(a, b);
  const all = a[2] * a[3] + b[2] * b[3] - shared;
  return all > 0 ? shared / all : 0;
}

export function sharedArea([ax, ay, aw, ah]: Box, [bx, by, bw, bh]: Box): number {
  const width = Math.min(ax + aw, bx + bw) - Math.max(ax, bx);
  const height = Math.min(ay + ah, by + bh) - Math.max(ay, by);
  return width > 0 && height > 0 ? width * height : 0;
}

/** The smallest upright box around several. @throws {Error} for none */
export function boxAround(boxes: readonly Box[]): Box {
  if (boxes.length === 0) throw new Error('There is no box around nothing.');
  const left = Math.min(...boxes.map(([x]) => x));
  const top = Math.min(...boxes.map(([, y]) => y));
  const right = Math.max(...boxes.map(([x, , width]) => x + width));
  const bottom = Math.max(...boxes.map(([, y, , height]) => y + height));
  return [left, top, right - left, bottom - top];
}

/**
 * The rectangle of least area around points, found by turning it along each edge of their convex hull (Freeman and Shapira 1975).
 * Its longer side is the width. @throws {Error} for no point
 */
export function smallestBox(points: readonly Point[]): SlantedBox {
  const hull = convexHull(points);
  const [only] = hull;
  if (!only) throw new Error('There is no box around nothing.');
  let best: SlantedBox | undefined;
  hull.forEach((from, index) => {
    const to = hull[(index + 1) % hull.length] ?? from;
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    const [cos, sin] = length > 0 ? [(to.x - from.x) / length, (to.y - from.y) / length] : [1, 0];
    const along = hull.map(({ x, y }) => x * cos + y * sin);
    const across = hull.map(({ x, y }) => y * cos - x * sin);
    const [left, right] = [Math.min(...along), Math.max(...along)];
    const [top, bottom] = [Math.min(...across), Math.max(...across)];
    const [width, height] = [right - left, bottom - top];
    if (best && width * height >= best.width * best.height) return;
    const [u, v] = [(left + right) / 2, (top + bottom) / 2];
    best = { centre: { x: u * cos - v * sin, y: u * sin + v * cos }, width, height, angle: Math.atan2(sin, cos) };
  });
  return lying(best ?? { centre: only, width: 0, height: 0, angle: 0 });
}

/** The same rectangle, described with its longer side as the width and an angle in (−π/2, π/2]. */
function lying({ centre, width, height, angle }: SlantedBox): SlantedBox {
  let turned = height > width ? angle + Math.PI / 2 : angle;
  while (turned > Math.PI / 2) turned -= Math.PI;
  while (turned <= -Math.PI / 2) turned += Math.PI;
  return { centre, width: Math.max(width, height), height: Math.min(width, height), angle: turned };
}

/** Corners of the convex hull in order (Andrew's monotone chain). */
export function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a.x - b.x || a.y - b.y);
  if (sorted.length < 3) return sorted;
  const half = (ordered: readonly Point[]): Point[] => {
    const chain: Point[] = [];
    for (const point of ordered) {
      for (;;) {
        const [b, a] = [chain.at(-1), chain.at(-2)];
        if (!a || !b || (b.x - a.x) * (point.y - a.y) - (b.y - a.y) * (point.x - a.x) > 0) break;
        chain.pop();
      }
      chain.push(point);
    }
    return chain.slice(0, -1);
  };
  return [...half(sorted), ...half(sorted.reverse())];
}
