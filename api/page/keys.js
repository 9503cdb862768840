/** The keys of the page, and the list of them that `?` shows. */

import { byId, make } from './dom.js';
import { step, toggle } from './player.js';

const KEYS = [
  ['/', 'to the question'],
  ['Enter', 'search'],
  ['Ctrl+Enter', 'ask: an answer in sentences'],
  ['J', 'next moment'],
  ['K', 'moment before'],
  ['P', 'play, stop'],
  [',', 'frame before'],
  ['.', 'next frame'],
  ['T', 'to the timeline'],
  ['← →', 'on the timeline: a step back, on; with Shift a longer one'],
  ['+ − 0', 'on the timeline: closer, farther, the whole video'],
  ['[ ]', 'on the timeline: mark before, next mark'],
  ['Page ↑ ↓', 'on the timeline: a screen back, on'],
  ['C', 'to the clip'],
  ['S W O', 'search, tell me when, work'],
  ['?', 'this list'],
];

const ACTIONS = {
  '/': () => {
    if (byId('view-search').hidden) byId('to-search').click();
    byId('query').focus();
    byId('query').select();
  },
  '?': showKeys,
  j: () => nextHit(1),
  k: () => nextHit(-1),
  p: toggle,
  ',': () => step(-1),
  '.': () => step(1),
  t: () => byId('timeline-canvas').focus(),
  c: () => byId('clip-from').focus(),
  s: () => byId('to-search').click(),
  w: () => byId('to-watches').click(),
  o: () => byId('to-work').click(),
};

function showKeys() {
  byId('keys').showModal();
}

/** Goes to a hit and shows it. */
function nextHit(direction) {
  const picks = [...byId('hits').querySelectorAll('.pick')];
  const now = picks.findIndex((pick) => pick.hasAttribute('aria-current'));
  const next = picks[now < 0 ? 0 : now + direction];
  next?.focus();
  next?.click();
}

document.addEventListener('keydown', (event) => {
  const action = ACTIONS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  const busy = event.target.closest('input, select, textarea, video, dialog');
  if (!action || busy || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  action();
});

byId('show-keys').addEventListener('click', showKeys);
byId('keys-list').append(
  ...KEYS.flatMap(([key, meaning]) => [
    make('dt', {}, ...key.split(' ').flatMap((part) => [make('kbd', {}, part), ' '])),
    make('dd', {}, meaning),
  ]),
);
