/** The timeline of the open video: zoomed, moved and clicked with a pointer, a finger or the keys. */

import { byId, clock, clockShort } from './dom.js';
import { mediaTime, onOpen, onSpan, onTime, opened, seek } from './player.js';
import { draw, gutterOf, heightOf, ROWS, rowAt, rowOf } from './timeline-drawing.js';
import { Tiles } from './timeline-tiles.js';

/** Shortest stretch that fills the timeline, in seconds. */
const CLOSEST = 1;
/** A part is at most this wide in pixels before the next level is taken. */
const PART_WIDTH = 2;
/** Pixels that a pointer may move and still click, and that it may miss a mark by. */
const CLICK_SLOP = 4;
const AIM = 4;

const canvas = byId('timeline-canvas');
const context = canvas.getContext('2d');
const dark = matchMedia('(prefers-color-scheme: dark)');

/** @type {{ record: object, tiles: Tiles, view: { start: number, span: number }, picked?: object } | undefined} */
let shown;
let hits = [];
let colours;
let drawing = 0;

onOpen((record) => {
  shown?.tiles.close();
  shown = undefined;
  byId('timeline').hidden = !(record.duration_s > 0);
  byId('timeline-note').textContent = '';
  if (!(record.duration_s > 0)) return;
  const tiles = new Tiles(record.id, record.duration_s, redraw);
  shown = { record, tiles, view: { start: 0, span: record.duration_s } };
  canvas.setAttribute('aria-valuemax', record.duration_s.toFixed(3));
  redraw();
});

onSpan(({ start, end }) => reveal(start, end));
onTime((time) => {
  if (!shown) return;
  canvas.setAttribute('aria-valuenow', time.toFixed(3));
  canvas.setAttribute('aria-valuetext', [clock(time), shown.picked?.text].filter(Boolean).join(', '));
  const { start, span } = shown.view;
  if (time >= start + span || time < start) reveal(time);
  redraw();
});

/** Shows hits in their row. @param {object[]} found of a search, of any video */
export function markHits(found) {
  hits = found.map((hit) => ({ ...hit, kind: 'hit', count: 1 })).sort((a, b) => a.start_s - b.start_s);
  redraw();
}

function redraw() {
  if (drawing === 0) drawing = requestAnimationFrame(paint);
}

function paint() {
  drawing = 0;
  const width = canvas.clientWidth;
  if (!shown || width === 0) return;
  const { record, tiles, view } = shown;
  const whole = tiles.whole();
  const mine = hits.filter(({ video_id }) => video_id === record.id);
  const rows = rowsOf(whole, mine);
  const height = heightOf(rows);
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    canvas.style.height = `${height}px`;
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  colours ??= readColours();
  const level = tiles.levelFor((PART_WIDTH * view.span) / (width - gutterOf(width)));
  const covered = tiles.cover(level, view.start, view.start + view.span);
  for (const { data } of covered) sortIntoRows(data);
  draw(context, {
    width,
    view,
    rows,
    tiles: covered,
    hits: mine,
    coverage: record.coverage,
    duration: record.duration_s,
    peak: peakOf(whole),
    time: mediaTime(),
    picked: shown.picked,
    colours,
  });
  Object.assign(shown, { rows, covered, mine });
  const { start, span } = view;
  byId('timeline-view').textContent =
    span < 120 ? `${clock(start)} – ${clock(start + span)}` : `${clockShort(start)} – ${clockShort(start + span)}`;
}

/** Marks by row, once for each tile. */
function sortIntoRows(data) {
  if (data.rows) return;
  data.rows = new Map();
  for (const mark of data.marks) {
    const row = rowOf(mark.kind);
    if (row === undefined) continue;
    if (!data.rows.has(row)) data.rows.set(row, []);
    data.rows.get(row).push(mark);
  }
}

/** Shots and motion are always there; other rows when there is something in them. */
function rowsOf(whole, mine) {
  if (whole) sortIntoRows(whole);
  return ROWS.filter(({ id }) =>
    id === 'hits' ? mine.length > 0 : id === 'shots' || id === 'motion' || whole?.rows.has(id),
  );
}

/** Activity that fills the row: what few windows exceed. */
function peakOf(whole) {
  if (!whole) return 1;
  whole.peak ??= whole.activity.map(([, , value]) => value).sort((a, b) => a - b)[
    Math.floor(whole.activity.length * 0.95)
  ];
  return whole.peak || 1;
}

function readColours() {
  const style = getComputedStyle(canvas);
  const names = ['paper', 'ink', 'soft', 'line', 'row', 'hole', 'now', 'activity', ...ROWS.map(({ id }) => id)];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--t-${name}`).trim()]));
}

function setView(start, span) {
  if (!shown) return;
  const { duration_s: duration } = shown.record;
  const length = Math.min(duration, Math.max(Math.min(CLOSEST, duration), span));
  shown.view = { start: Math.min(Math.max(0, start), duration - length), span: length };
  redraw();
}

/** @param {number} around media time that stays where it is */
function zoom(factor, around) {
  if (!shown) return;
  const { start, span } = shown.view;
  const { duration_s: duration } = shown.record;
  const next = Math.min(duration, Math.max(Math.min(CLOSEST, duration), span * factor));
  setView(around - ((around - start) * next) / span, next);
}

function pan(seconds) {
  if (shown) setView(shown.view.start + seconds, shown.view.span);
}

/** Moves the view so that a stretch lies in it, and closer to it when it would hardly be seen. */
function reveal(start, end = start) {
  if (!shown) return;
  const { start: from, span } = shown.view;
  const length = Math.max(span, (end - start) * 1.2);
  if (start < from || end > from + span) setView((start + end) / 2 - length / 2, length);
}

function timeAt(clientX) {
  const box = canvas.getBoundingClientRect();
  const gutter = gutterOf(box.width);
  const { start, span } = shown.view;
  const share = (clientX - box.left - gutter) / (box.width - gutter);
  return Math.min(shown.record.duration_s, Math.max(0, start + share * span));
}

/** The mark under a point: the shortest of those that are there. */
function markAt(clientX, clientY) {
  const box = canvas.getBoundingClientRect();
  const row = rowAt(shown.rows ?? [], clientY - box.top);
  if (!row) return undefined;
  const aim = (AIM * shown.view.span) / box.width;
  const time = timeAt(clientX);
  let best;
  for (const mark of marksOf(row.id)) {
    if (mark.start_s - aim > time) break;
    if (mark.end_s + aim < time) continue;
    if (!best || mark.end_s - mark.start_s < best.end_s - best.start_s) best = mark;
  }
  return best && { ...best, row: row.id };
}

function marksOf(row) {
  return row === 'hits' ? shown.mine : shown.covered.flatMap(({ data }) => data.rows.get(row) ?? []);
}

function tell(mark) {
  if (!shown || (mark === undefined && shown.picked === undefined)) return;
  shown.picked = mark;
  byId('timeline-note').textContent = mark ? describe(mark) : '';
  redraw();
}

function describe({ start_s, end_s, kind, count, text }) {
  const span = `${clock(start_s)} – ${clock(end_s)}`;
  if (count > 1) return `${span} · ${count} of ${kind}; come closer to see each`;
  return [span, kind === text ? '' : kind, text].filter(Boolean).join(' · ');
}

/** The next mark of any row behind the playhead, or the last one before it. */
function jump(direction) {
  const now = mediaTime() + 0.001 * direction;
  const starts = shown.rows
    .flatMap(({ id }) => marksOf(id).map((mark) => ({ ...mark, row: id })))
    .filter(({ start_s }) => (direction > 0 ? start_s > now : start_s < now - 0.001));
  const next = starts.reduce(
    (best, mark) => (!best || (mark.start_s - best.start_s) * direction < 0 ? mark : best),
    undefined,
  );
  if (!next) return;
  tell(next);
  seek(next.start_s);
}

const KEYS = {
  ArrowLeft: (far) => seek(mediaTime() - shown.view.span / (far ? 10 : 100)),
  ArrowRight: (far) => seek(Math.min(shown.record.duration_s, mediaTime() + shown.view.span / (far ? 10 : 100))),
  PageUp: () => pan(-shown.view.span * 0.9),
  PageDown: () => pan(shown.view.span * 0.9),
  Home: () => seek(0),
  End: () => seek(shown.record.duration_s - 0.001),
  '+': () => zoom(0.5, mediaTime()),
  '=': () => zoom(0.5, mediaTime()),
  '-': () => zoom(2, mediaTime()),
  0: () => setView(0, shown.record.duration_s),
  '[': () => jump(-1),
  ']': () => jump(1),
};

canvas.addEventListener('keydown', (event) => {
  const action = KEYS[event.key];
  if (!action || !shown || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action(event.shiftKey);
});

/** Where each pointer is that is down. @type {Map<number, number>} */
const pointers = new Map();
let travelled = 0;

canvas.addEventListener('pointerdown', (event) => {
  if (!shown || event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, event.clientX);
  if (pointers.size === 1) travelled = 0;
});

canvas.addEventListener('pointermove', (event) => {
  if (!shown) return;
  const before = pointers.get(event.pointerId);
  if (before === undefined) {
    tell(markAt(event.clientX, event.clientY));
    return;
  }
  const perPixel = shown.view.span / (canvas.clientWidth - gutterOf(canvas.clientWidth));
  const [first, second] = pointers.keys();
  if (second !== undefined) {
    const other = pointers.get(event.pointerId === first ? second : first);
    const apart = Math.max(10, Math.abs(event.clientX - other));
    zoom(Math.max(10, Math.abs(before - other)) / apart, timeAt((event.clientX + other) / 2));
    travelled = Infinity;
  } else {
    travelled += Math.abs(event.clientX - before);
    if (travelled > CLICK_SLOP) pan((before - event.clientX) * perPixel);
  }
  pointers.set(event.pointerId, event.clientX);
});

canvas.addEventListener('pointerup', (event) => {
  if (!shown || !pointers.delete(event.pointerId) || travelled > CLICK_SLOP) return;
  const mark = markAt(event.clientX, event.clientY);
  tell(mark);
  seek(mark?.count === 1 ? mark.start_s : timeAt(event.clientX));
});
canvas.addEventListener('pointercancel', (event) => pointers.delete(event.pointerId));
canvas.addEventListener('pointerleave', () => {
  if (pointers.size === 0) tell(undefined);
});

// Without a key or the focus the wheel scrolls the page, as it does everywhere else.
canvas.addEventListener(
  'wheel',
  (event) => {
    if (!shown) return;
    const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!sideways && !event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
    event.preventDefault();
    if (sideways) pan(((event.deltaX || event.deltaY) * shown.view.span) / canvas.clientWidth);
    else zoom(1.002 ** event.deltaY, timeAt(event.clientX));
  },
  { passive: false },
);

byId('zoom-in').addEventListener('click', () => zoom(0.5, mediaTime()));
byId('zoom-out').addEventListener('click', () => zoom(2, mediaTime()));
byId('zoom-all').addEventListener('click', () => setView(0, opened()?.duration_s ?? 0));
new ResizeObserver(redraw).observe(canvas);
dark.addEventListener('change', () => {
  colours = undefined;
  redraw();
});
