/** Draws the timeline on its canvas. Knows pixels and colours, and nothing of where the data comes from. */

import { clock, clockShort } from './dom.js';

const RULER = 20;
const ROW = 22;
const GAP = 3;
const TEXT_FROM = 46;

/** What is drawn in which row. What is in none of them is an event. */
export const ROWS = [
  { id: 'shots', label: 'Shots', kinds: ['cut', 'fade', 'dissolve'] },
  { id: 'motion', label: 'Motion', kinds: ['motion', 'flash', 'freeze', 'black'] },
  { id: 'sound', label: 'Sound', kinds: ['silence', 'bang'] },
  { id: 'text', label: 'Text', kinds: ['text'] },
  { id: 'speech', label: 'Speech', kinds: ['speech'] },
  { id: 'subtitles', label: 'Subtitles', kinds: ['subtitle'] },
  { id: 'events', label: 'Events', kinds: ['activity', 'picture'] },
  { id: 'captions', label: 'Captions', kinds: ['caption'] },
  { id: 'chapters', label: 'Chapters', kinds: ['chapter'] },
  { id: 'hits', label: 'Hits', kinds: [] },
];

/** The row of a kind; undefined for what is said of the whole video. */
export function rowOf(kind) {
  if (kind === 'tag') return undefined;
  return ROWS.find(({ kinds }) => kinds.includes(kind))?.id ?? 'events';
}

/** Steps of the ruler in seconds. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 36_000];

/** The width that row labels take, for a canvas of this width. */
export function gutterOf(width) {
  return width < 480 ? 58 : 74;
}

/**
 * @param {CanvasRenderingContext2D} context scaled to CSS pixels
 * @param {{ width: number, view: { start: number, span: number }, rows: object[], tiles: object[], hits: object[], coverage: number[][],
 *   peak: number, time: number, picked?: object, colours: Record<string, string> }} scene
 */
export function draw(context, scene) {
  const { width, view, rows, colours } = scene;
  const height = heightOf(rows);
  const gutter = gutterOf(width);
  const scale = (width - gutter) / view.span;
  const x = (time) => gutter + (time - view.start) * scale;
  context.clearRect(0, 0, width, height);
  context.font = '11px system-ui, sans-serif';
  context.textBaseline = 'middle';
  ruler(context, scene, x);
  context.save();
  context.beginPath();
  context.rect(gutter, RULER, width - gutter, height - RULER);
  context.clip();
  rows.forEach((row, index) => {
    const top = RULER + index * (ROW + GAP);
    context.fillStyle = colours.row;
    context.fillRect(gutter, top, width - gutter, ROW);
    if (row.id === 'motion') activity(context, scene, x, top);
    if (row.id === 'hits') marks(context, scene, x, top, row, scene.hits);
    for (const { data, start, end } of scene.tiles) {
      context.save();
      context.beginPath();
      context.rect(Math.floor(x(start)), top, Math.ceil(x(end)) - Math.floor(x(start)), ROW);
      context.clip();
      marks(context, scene, x, top, row, data.rows.get(row.id) ?? []);
      context.restore();
    }
  });
  holes(context, scene, x, height);
  playhead(context, scene, x, height);
  context.restore();
  context.fillStyle = colours.soft;
  context.textAlign = 'left';
  rows.forEach((row, index) => {
    context.fillText(row.label, 0, RULER + index * (ROW + GAP) + ROW / 2, gutter - 6);
  });
}

export function heightOf(rows) {
  return RULER + rows.length * (ROW + GAP);
}

/** The row at a height; undefined on the ruler. */
export function rowAt(rows, y) {
  return rows[Math.floor((y - RULER) / (ROW + GAP))];
}

function ruler(context, { width, view, colours }, x) {
  const room = width < 480 ? 70 : 90;
  const wanted = (view.span * room) / (width - gutterOf(width));
  const step = STEPS.find((length) => length >= wanted) ?? STEPS.at(-1);
  context.fillStyle = colours.soft;
  context.textAlign = 'left';
  for (let n = Math.ceil(view.start / step); n * step <= view.start + view.span; n++) {
    const at = Math.round(x(n * step));
    context.fillStyle = colours.line;
    context.fillRect(at, RULER - 6, 1, 6);
    context.fillStyle = colours.soft;
    if (at + room - 8 < width)
      context.fillText(step < 1 ? clock(n * step).slice(0, -2) : clockShort(n * step), at + 3, 8);
  }
}

/** Mean change of the windows, as a hill. */
function activity(context, { tiles, peak, colours }, x, top) {
  context.fillStyle = colours.activity;
  for (const { data, start, end } of tiles) {
    for (const [from, to, value] of data.activity) {
      const left = Math.max(x(from), x(start));
      const right = Math.min(x(to), x(end));
      const rise = Math.min(1, value / peak) * (ROW - 2);
      if (right > left) context.fillRect(left, top + ROW - rise, right - left, rise);
    }
  }
}

function marks(context, { view, picked, colours }, x, top, row, list) {
  const lines = row.id === 'shots';
  const from = view.start;
  const until = view.start + view.span;
  const words = [];
  context.fillStyle = colours[row.id];
  for (const mark of list) {
    if (mark.start_s >= until) break;
    if (mark.end_s < from) continue;
    const left = x(mark.start_s);
    const width = Math.max(lines || row.id === 'hits' ? 1.5 : 1, x(mark.end_s) - left);
    context.fillRect(left, lines ? top : top + 2, width, lines ? ROW : ROW - 4);
    if (mark.text && width > TEXT_FROM) words.push({ mark, left: Math.max(left, x(from)), right: left + width });
  }
  context.fillStyle = colours.paper;
  context.textAlign = 'left';
  for (const { mark, left, right } of words) {
    // About six pixels a letter; measuring each text would take longer than drawing it.
    const letters = Math.floor((right - left - 8) / 6);
    const text = mark.text.length > letters ? `${mark.text.slice(0, letters - 1).trimEnd()}…` : mark.text;
    if (letters > 3) context.fillText(text, left + 4, top + ROW / 2, right - left - 6);
    context.fillRect(right - 1, top + 2, 1, ROW - 4);
  }
  if (picked && picked.row === row.id) {
    context.strokeStyle = colours.ink;
    context.lineWidth = 2;
    context.strokeRect(x(picked.start_s), top + 1, Math.max(3, x(picked.end_s) - x(picked.start_s)), ROW - 2);
  }
}

/** What was not decoded is struck out. */
function holes(context, { coverage, duration, colours }, x, height) {
  let at = 0;
  context.fillStyle = colours.hole;
  for (const [start, end] of [...coverage, [duration, duration]]) {
    if (start - at > 0.001) context.fillRect(x(at), RULER, x(start) - x(at), height - RULER);
    at = Math.max(at, end);
  }
}

function playhead(context, { time, colours }, x, height) {
  context.fillStyle = colours.now;
  context.fillRect(Math.round(x(time)) - 1, 0, 2, height);
}
