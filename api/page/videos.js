/** The videos of the library, and the work that is being done on them. */

import { ask, byId, clockShort, frameImage, make } from './dom.js';
import { play } from './player.js';

const PAGE = 50;
const STATES = {
  queued: 'waiting',
  ingesting: 'being read',
  ready: '',
  partial: 'partly readable',
  failed: 'failed',
  missing: 'file is missing',
};

/** By id. */
const videos = new Map();
/** Jobs that are not over, or that ended badly since the page was opened, by id. */
const jobs = new Map();
let cursor;
let loaded = false;
let stream;

/** Loads the first page and follows the jobs. @throws {ApiError} */
export async function start() {
  videos.clear();
  cursor = undefined;
  await more();
  stream?.close();
  stream = new EventSource('/v1/events/stream');
  stream.addEventListener('job', ({ data }) => follow(JSON.parse(data)));
}

/** A video by id, asked for when it is on no page that was loaded. @throws {ApiError} */
export async function videoOf(id) {
  const known = videos.get(id) ?? (await ask(`/v1/videos/${id}`));
  videos.set(id, known);
  return known;
}

async function more() {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const page = await ask(`/v1/videos?limit=${PAGE}${next}`);
  for (const video of page.items) videos.set(video.id, video);
  cursor = page.next_cursor;
  loaded = true;
  draw();
}

async function follow(job) {
  const before = jobs.get(job.id)?.state;
  const over = job.state === 'done' || job.state === 'cancelled';
  // A failure of an earlier day is told by its video; only one that was seen to happen is shown as a job.
  if (over || (job.state === 'failed' && before === undefined)) jobs.delete(job.id);
  else jobs.set(job.id, job);
  if (over && before !== undefined && job.video_id !== undefined) {
    videos.delete(job.video_id);
    await videoOf(job.video_id).catch(() => undefined);
  }
  if (loaded) draw();
}

function draw() {
  const items = [...[...jobs.values()].map(jobItem), ...[...videos.values()].map(videoItem)];
  byId('videos').replaceChildren(...items);
  byId('videos-note').textContent =
    items.length > 0
      ? ''
      : 'The library is empty. Run “longwatch ingest FILE” beside the server, or add a video below.';
  byId('more-videos').hidden = cursor === undefined;
  const scope = byId('scope');
  const chosen = scope.value;
  scope.replaceChildren(
    make('option', { value: '' }, 'All videos'),
    ...[...videos.values()].map((video) => make('option', { value: video.id }, video.title)),
  );
  scope.value = videos.has(chosen) ? chosen : '';
}

function videoItem(video) {
  const middle = Math.floor(video.duration_s / 3);
  const size = video.width > 0 ? `${video.width} × ${video.height}` : '';
  const state = STATES[video.state] ?? video.state;
  const pick = make(
    'button',
    { type: 'button', class: 'pick' },
    frameImage(`/v1/videos/${video.id}/frames/${middle}.jpg?width=320`, ''),
    make(
      'span',
      {},
      make('span', { class: 'name' }, video.title),
      make('span', { class: 'from time' }, [clockShort(video.duration_s), size, state].filter(Boolean).join(' · ')),
      ...video.warnings.slice(0, 2).map((warning) => make('span', { class: 'why' }, warning)),
      video.error && make('span', { class: 'why error' }, video.error.detail),
    ),
  );
  pick.addEventListener('click', () => play(video, { start: 0 }));
  return make('li', {}, pick);
}

function jobItem(job) {
  const name = job.path.split(/[/\\]/).at(-1);
  const percent = Math.floor(job.progress * 100);
  const figures = [
    job.state === 'running' ? `${percent} %` : job.state,
    job.stage,
    job.speed_x && `${job.speed_x.toFixed(1)}× real time`,
    job.eta_ms && `${clockShort(job.eta_ms / 1000)} left`,
  ];
  const stop = make('button', { type: 'button', class: 'quiet', 'aria-label': `Cancel ${name}` }, 'Cancel');
  stop.addEventListener('click', () => {
    stop.disabled = true;
    ask(`/v1/jobs/${job.id}`, { method: 'DELETE' }).catch(() => {
      stop.disabled = false;
    });
  });
  const failed = job.state === 'failed';
  return make(
    'li',
    { class: 'job' },
    make(
      'div',
      {},
      make('span', { class: 'name' }, name),
      make('span', { class: 'from time' }, figures.filter(Boolean).join(' · ')),
      failed
        ? make('span', { class: 'error' }, [job.error?.detail, job.error?.hint].filter(Boolean).join(' '))
        : make('progress', { max: 1, value: job.progress, 'aria-label': `Progress of ${name}` }),
    ),
    failed ? undefined : stop,
  );
}

byId('more-videos').addEventListener('click', () => {
  more().catch((error) => {
    byId('videos-note').textContent = error.message;
  });
});

byId('add').addEventListener('submit', async (event) => {
  event.preventDefault();
  const note = byId('add-note');
  note.textContent = 'Asking the server…';
  try {
    const job = await ask('/v1/videos', { method: 'POST', body: { path: byId('path').value.trim() } });
    await follow(job);
    note.textContent = 'It is being read; you can search what is finished already.';
    byId('path').value = '';
  } catch (error) {
    note.textContent = error.message;
  }
});
