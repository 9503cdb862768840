/** The scenes of the open video, the one that is on screen marked. */

import { ask, byId, clock, frameImage, make } from './dom.js';
import { onOpen, onTime, opened, play } from './player.js';
import { VirtualList } from './virtual-list.js';

/** Beside each other there is room for all; below each other the scenes would push the moments out of sight. */
const wide = matchMedia('(min-width: 62rem)');

const list = new VirtualList(byId('chapters'), sceneItem);
let scenes = [];

onOpen(async (record) => {
  scenes = [];
  byId('scenes').hidden = true;
  const { chapters } = await ask(`/v1/videos/${record.id}/chapters`).catch(() => ({ chapters: [] }));
  if (opened()?.id !== record.id) return;
  scenes = chapters;
  // One scene is the video itself.
  byId('scenes').hidden = scenes.length < 2;
  byId('scenes').open = wide.matches;
  byId('scenes-count').textContent = String(scenes.length);
  list.show(scenes);
});

function sceneItem(scene) {
  const record = opened();
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

onTime((time) => list.mark(lastAtOrBefore(time)));

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
