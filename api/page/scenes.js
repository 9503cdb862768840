/** The scenes of the open video, the one that is on screen marked. */

import { ask, byId, clock, frameImage, make } from './dom.js';
import { onOpen, onTime, opened, play } from './player.js';

/** Scenes that are shown at once; a day of video has thousands. */
const PAGE = 40;

/** Beside each other there is room for all; below each other the scenes would push the moments out of sight. */
const wide = matchMedia('(min-width: 62rem)');

let scenes = [];
let shown = 0;
let current = -1;

onOpen(async (record) => {
  scenes = [];
  clear();
  const { chapters } = await ask(`/v1/videos/${record.id}/chapters`).catch(() => ({ chapters: [] }));
  if (opened()?.id !== record.id) return;
  scenes = chapters;
  // One scene is the video itself.
  byId('scenes').hidden = scenes.length < 2;
  byId('scenes').open = wide.matches;
  byId('scenes-count').textContent = String(scenes.length);
  more();
});

function clear() {
  shown = 0;
  current = -1;
  byId('scenes').hidden = true;
  byId('chapters').replaceChildren();
}

function more() {
  const record = opened();
  const next = scenes.slice(shown, shown + PAGE);
  byId('chapters').append(...next.map((scene) => sceneItem(record, scene)));
  shown += next.length;
  byId('more-scenes').hidden = shown >= scenes.length;
}

function sceneItem(record, scene) {
  const pick = make(
    'button',
    { type: 'button', class: 'pick', title: scene.title },
    frameImage(`/v1/videos/${record.id}/frames/${scene.start_s.toFixed(3)}.jpg?width=160`, ''),
    make(
      'span',
      {},
      make('span', { class: 'span time' }, clock(scene.start_s)),
      make('span', { class: 'said' }, scene.title),
    ),
  );
  pick.addEventListener('click', () => play(record, { start: scene.start_s, end: scene.end_s }));
  return make('li', {}, pick);
}

onTime((time) => {
  const at = lastAtOrBefore(time);
  if (at === current) return;
  const picks = byId('chapters').querySelectorAll('.pick');
  picks[current]?.removeAttribute('aria-current');
  picks[at]?.setAttribute('aria-current', 'true');
  current = at;
});

function lastAtOrBefore(time) {
  let low = -1;
  let high = scenes.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    // The player aims a part of a millisecond into the frame.
    if (scenes[middle].start_s <= time + 0.001) low = middle;
    else high = middle;
  }
  return low;
}

byId('more-scenes').addEventListener('click', () => {
  const first = shown;
  more();
  byId('chapters').querySelectorAll('.pick')[first]?.focus();
});
