/** The answer to a question: hits, "no match", or what went wrong. */

import { ask, byId, clock, frameImage, make } from './dom.js';
import { play } from './player.js';
import { narrowing } from './tags.js';
import { markHits } from './timeline.js';
import { videoOf } from './videos.js';

let running;

/** @param {string} query @param {string} scope see `narrowing` */
export async function search(query, scope) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  byId('answer').hidden = false;
  byId('answer').setAttribute('aria-busy', 'true');
  note('Searching…');
  try {
    const body = { query, limit: 20, ...narrowing(scope) };
    show(await ask('/v1/search', { method: 'POST', body, signal }));
  } catch (error) {
    if (error.name === 'AbortError') return;
    byId('hits').replaceChildren();
    showNear([]);
    markHits([]);
    note(error.message);
    throw error;
  } finally {
    if (!signal.aborted) byId('answer').removeAttribute('aria-busy');
  }
}

export function clear() {
  running?.abort();
  byId('answer').hidden = true;
  byId('hits').replaceChildren();
  showNear([]);
  markHits([]);
}

function show(answer) {
  byId('hits').replaceChildren(...answer.results.map(hitItem));
  showNear(answer.near_misses ?? [], answer.no_match);
  markHits(answer.results);
  const count = answer.results.length;
  if (answer.no_match)
    note(
      `${answer.note ?? 'Nothing in the library answers this.'} Try other words${byId('scope').value === '' ? '' : ', or search all videos'}.`,
    );
  else note([`${count} ${count === 1 ? 'moment' : 'moments'}.`, answer.note].filter(Boolean).join(' '));
}

/** What comes nearest without being an answer: open where there is nothing better to look at. */
function showNear(misses, isOpen = false) {
  byId('near').hidden = misses.length === 0;
  byId('near').open = isOpen;
  byId('near-count').textContent = String(misses.length);
  byId('near-hits').replaceChildren(...misses.map(hitItem));
}

function hitItem(hit) {
  const span = `${clock(hit.start_s)} – ${clock(hit.end_s)}`;
  const pick = make(
    'button',
    { type: 'button', class: 'pick' },
    frameImage(`${hit.frame_url}?width=320`, ''),
    make(
      'span',
      {},
      make('span', { class: 'span time' }, span),
      make('span', { class: 'said' }, hit.text),
      make('span', { class: 'from' }, `${hit.title} · ±${hit.precision_s.toFixed(3)} s${sureness(hit)}`),
      make('span', { class: 'why' }, `Found by ${hit.why.join(', ')}`),
    ),
  );
  pick.addEventListener('click', async () => {
    for (const other of byId('answer').querySelectorAll('[aria-current]')) other.removeAttribute('aria-current');
    pick.setAttribute('aria-current', 'true');
    try {
      await play(await videoOf(hit.video_id), { start: hit.start_s, end: hit.end_s });
    } catch (error) {
      note(error.message);
    }
  });
  return make('li', {}, pick);
}

/** In tests so many of a hundred hits like it were right. Most hits say nothing: see `confidence` of a hit in the API. */
function sureness({ confidence }) {
  return confidence === undefined ? '' : ` · confidence ${Math.round(100 * confidence)} %`;
}

function note(text) {
  byId('answer-note').textContent = text;
}

byId('answer').addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined || !document.activeElement.matches('.pick')) return;
  const picks = [...byId('answer').querySelectorAll('.pick')].filter((pick) => pick.checkVisibility());
  picks[picks.indexOf(document.activeElement) + step]?.focus();
  event.preventDefault();
});
