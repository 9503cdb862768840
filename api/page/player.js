/** The player: opens a video and lands on the frame that a time means. Other parts of the page hear from it what is open and where it is. */

import { ask, byId, clock, make } from './dom.js';
import { notePlace, onView } from './route.js';

/** How long the first frame may keep the player waiting before the container's own start is trusted, in milliseconds. */
const FIRST_FRAME_LIMIT = 4000;

/**
 * Browsers cut a time down to whole microseconds, so 2.002 s, the very start of a frame, would show the frame before it. Half a
 * millisecond more is still inside any frame.
 */
const INTO_FRAME = 0.0005;

const video = byId('video');
const FORMATS = [
  ['srt', 'SRT'],
  ['vtt', 'WebVTT'],
  ['chapters', 'Chapters'],
  ['ffmetadata', 'FFmetadata'],
  ['json', 'JSON'],
  ['ndjson', 'NDJSON'],
  ['csv', 'CSV'],
];

/** What is open: the video, and where media time 0 lies on the player's own clock. @type {{ record: object, zero: Promise<number>, offset: number } | undefined} */
let open;
/** @type {((record: object) => void)[]} */
const openListeners = [];
/** @type {((span: { start: number, end?: number }) => void)[]} */
const spanListeners = [];
/** @type {((time: number) => void)[]} */
const timeListeners = [];

/** Calls back with every video that is opened. */
export function onOpen(listener) {
  openListeners.push(listener);
}

/** Calls back with every stretch that is shown. */
export function onSpan(listener) {
  spanListeners.push(listener);
}

/** Calls back with the media time, while it plays and when it is set. */
export function onTime(listener) {
  timeListeners.push(listener);
}

/** The video that is open. */
export function opened() {
  return open?.record;
}

/** Media time that is on screen. */
export function mediaTime() {
  return Math.max(0, video.currentTime - (open?.offset ?? 0));
}

/** Opens the video (unless it is open already) and shows the frame at `start`. @param {{ start: number, end?: number }} span */
export async function play(record, { start, end }) {
  byId('player').hidden = false;
  byId('player').parentElement.classList.add('watching');
  byId('player-title').textContent = record.title;
  byId('player-span').textContent = end === undefined ? clock(start) : `${clock(start)} – ${clock(end)}`;
  if (open?.record.id !== record.id) load(record);
  for (const listener of spanListeners) listener({ start, end });
  const target = open;
  await target.zero;
  if (open !== target) return;
  video.pause();
  seek(start);
  notePlace(record.id, start);
  video.scrollIntoView({ block: 'nearest' });
}

/** The address names the frame on which it was stopped or set, not every one on the way. */
function noteWhereItStands() {
  if (open && video.paused) notePlace(open.record.id, Math.max(0, mediaTime() - INTO_FRAME));
}

/** Shows the frame at a media time of the open video. */
export function seek(time) {
  if (!open) return;
  video.currentTime = Math.max(0, time) + open.offset + INTO_FRAME;
  tellTime();
}

/** Plays, or stops playing. */
export function toggle() {
  if (video.paused) video.play().catch(() => {});
  else video.pause();
}

/** One frame on or back, as long as the frames of this video usually are. */
export function step(direction) {
  if (!open) return;
  video.pause();
  seek(mediaTime() - INTO_FRAME + direction / (open.record.fps.nominal || 25));
}

function load(record) {
  byId('player-error').hidden = true;
  video.src = `/v1/videos/${record.id}/media`;
  // Known before the first byte has come, so that nothing jumps when it does.
  video.style.aspectRatio = record.width > 0 ? `${record.width} / ${record.height}` : '';
  const opening = { record, offset: Math.max(0, record.first_frame_s), zero: Promise.resolve(0) };
  opening.zero = firstFrameTime(record).then((zero) => {
    opening.offset = zero;
  });
  open = opening;
  offerExports();
  for (const listener of openListeners) listener(record);
}

/** Links to the open video in every format, of the layer that is chosen. */
function offerExports() {
  if (!open) return;
  const layer = byId('export-layer').value;
  byId('exports').replaceChildren(
    ...FORMATS.map(([format, label]) => {
      const query = new URLSearchParams(layer === '' ? { format } : { format, layer });
      return make('a', { href: `/v1/videos/${open.record.id}/export?${query}`, download: '' }, label);
    }),
  );
}

byId('export-layer').addEventListener('change', offerExports);

/**
 * Media time counts from the first presented frame, the player's clock from wherever the container starts. The browser tells the
 * player time of the first frame that it presents; one that cannot tell is given the container's figure.
 */
function firstFrameTime(record) {
  const stated = Math.max(0, record.first_frame_s);
  if (!('requestVideoFrameCallback' in video)) return Promise.resolve(stated);
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(stated), FIRST_FRAME_LIMIT);
    video.requestVideoFrameCallback((_now, { mediaTime: first }) => {
      clearTimeout(late);
      resolve(first);
    });
  });
}

function tellTime() {
  const time = mediaTime();
  for (const listener of timeListeners) listener(time);
}

video.addEventListener('timeupdate', tellTime);
video.addEventListener('pause', noteWhereItStands);
onView((view) => {
  if (view !== 'search') video.pause();
});
video.addEventListener('seeked', noteWhereItStands);
video.addEventListener('play', function follow() {
  tellTime();
  if (!video.paused) requestAnimationFrame(follow);
});

video.addEventListener('error', async () => {
  const note = byId('player-error');
  note.textContent = 'This browser cannot play the file. Its frames, times and exports can still be used. ';
  // The element does not say why; the server may.
  await ask(video.getAttribute('src'), { method: 'HEAD' }).catch((error) => {
    if (error.status === 404) note.textContent = 'The file is not where it was when it was ingested.';
    if (error.status === 409) note.textContent = 'The file changed since it was ingested. Ingest it again.';
  });
  note.hidden = false;
});
