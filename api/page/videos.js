/** The videos of the library. */

import { ask, byId, clockShort, frameImage, make } from './dom.js';
import { followJobs, showJob } from './jobs.js';
import { play } from './player.js';
import { loadTags, onTags, tagOptions } from './tags.js';

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
let cursor;

/** Loads the first page and follows the jobs. @throws {ApiError} */
export async function start() {
  videos.clear();
  cursor = undefined;
  await Promise.all([more(), loadTags()]);
  followJobs(refresh);
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
  draw();
}

/** Shows a video as it stands now. */
async function refresh(id) {
  const video = await ask(`/v1/videos/${id}`).catch(() => undefined);
  if (video) videos.set(id, video);
  else videos.delete(id);
  draw();
}

function draw() {
  byId('videos').replaceChildren(...[...videos.values()].map(videoItem));
  byId('videos-note').textContent =
    videos.size > 0
      ? ''
      : 'The library is empty. Run “longwatch ingest FILE” beside the server, or drop a video on this page.';
  byId('more-videos').hidden = cursor === undefined;
  for (const scope of [byId('scope'), byId('watch-scope')]) {
    const chosen = scope.value;
    const [all] = scope.options;
    scope.replaceChildren(
      all,
      ...[...videos.values()].map((video) => make('option', { value: video.id }, video.title)),
      ...[tagOptions()].filter(Boolean),
    );
    scope.value = [...scope.options].some(({ value }) => value === chosen) ? chosen : '';
  }
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
      video.tags.length > 0 ? make('span', { class: 'why' }, video.tags.join(', ')) : undefined,
      ...video.warnings.slice(0, 2).map((warning) => make('span', { class: 'why' }, warning)),
      video.error && make('span', { class: 'why error' }, video.error.detail),
    ),
  );
  pick.addEventListener('click', () => play(video, { start: 0 }));
  return make('li', {}, pick);
}

onTags((change) => {
  const video = change && videos.get(change.id);
  if (video) videos.set(video.id, { ...video, tags: change.tags });
  draw();
});

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
    const job = await ask('/v1/videos', {
      method: 'POST',
      body: { path: byId('path').value.trim(), priority: Number(byId('path-priority').value) },
    });
    showJob(job);
    note.textContent = 'It is being read; you can search what is finished already.';
    byId('path').value = '';
  } catch (error) {
    note.textContent = error.message;
  }
});
