/** The player: opens a video and lands on the frame that a time means. */

import { ask, byId, clock, make } from './dom.js';

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
  ['vtt', 'VTT'],
  ['chapters', 'Chapters'],
  ['json', 'JSON'],
  ['ndjson', 'NDJSON'],
  ['csv', 'CSV'],
];

/** What is open: the video, and where media time 0 lies on the player's own clock. @type {{ id: string, zero: Promise<number> } | undefined} */
let open;

/** Opens the video (unless it is open already) and shows the frame at `start`. @param {{ start: number, end?: number }} span */
export async function play(record, { start, end }) {
  byId('player').hidden = false;
  byId('player').parentElement.classList.add('watching');
  byId('player-title').textContent = record.title;
  byId('player-span').textContent = end === undefined ? clock(start) : `${clock(start)} – ${clock(end)}`;
  if (open?.id !== record.id) load(record);
  const { id, zero } = open;
  const offset = await zero;
  if (open.id !== id) return;
  video.pause();
  video.currentTime = start + offset + INTO_FRAME;
  byId('player').scrollIntoView({ block: 'nearest' });
}

function load(record) {
  byId('player-error').hidden = true;
  video.src = `/v1/videos/${record.id}/media`;
  open = { id: record.id, zero: firstFrameTime(record) };
  const base = `/v1/videos/${record.id}/export?format=`;
  byId('exports').replaceChildren(
    'Export ',
    ...FORMATS.map(([format, label]) => make('a', { href: base + format, download: '' }, label)),
  );
  showChapters(record);
}

/**
 * Media time counts from the first presented frame, the player's clock from wherever the container starts. The browser tells the
 * player time of the first frame that it presents; one that cannot tell is given the container's figure.
 */
function firstFrameTime(record) {
  const stated = Math.max(0, record.first_frame_s);
  if (!('requestVideoFrameCallback' in video)) return Promise.resolve(stated);
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(stated), FIRST_FRAME_LIMIT);
    video.requestVideoFrameCallback((_now, { mediaTime }) => {
      clearTimeout(late);
      resolve(mediaTime);
    });
  });
}

async function showChapters(record) {
  const list = byId('chapters');
  list.replaceChildren();
  const { chapters } = await ask(`/v1/videos/${record.id}/chapters`).catch(() => ({ chapters: [] }));
  if (open?.id !== record.id || chapters.length < 2) return;
  list.replaceChildren(
    ...chapters.slice(0, 200).map((chapter) => {
      const button = make(
        'button',
        { type: 'button', title: chapter.title },
        `${clock(chapter.start_s)} ${chapter.title}`,
      );
      button.addEventListener('click', () => play(record, { start: chapter.start_s, end: chapter.end_s }));
      return button;
    }),
  );
}

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
