/** What stands in the address: the question, the view, and in the first view the video that is open with its time. */

import { byId } from './dom.js';

/** Views beside the first one, by what stands behind the `#`. */
const VIEWS = ['watches', 'work'];

/** @type {((view: string) => void)[]} */
const viewListeners = [];
let shown;

/** The place that the address names. @returns {{ view: string, video?: string, time?: number }} */
export function place() {
  const hash = location.hash.slice(1);
  if (VIEWS.includes(hash)) return { view: hash };
  const fields = new URLSearchParams(hash);
  const video = fields.get('video');
  const time = Number(fields.get('t') ?? 0);
  if (!video) return { view: 'search' };
  return { view: 'search', video, time: Number.isFinite(time) && time >= 0 ? time : 0 };
}

/** Calls back with every view that is shown, also the first. */
export function onView(listener) {
  viewListeners.push(listener);
}

/** Notes what is open, so that the address can be kept and sent. Makes no entry in the history: a player has too many places for that. */
export function notePlace(video, time) {
  const address = new URL(location.href);
  address.hash = new URLSearchParams({ video, t: time.toFixed(3) }).toString();
  // From another view the way back leads there.
  byId('to-search').hash = address.hash;
  if (place().view === 'search' && address.href !== location.href) history.replaceState(history.state, '', address);
}

/** Shows the view of the address, and marks it in the head of the page. @param {boolean} anew also when it is shown already */
export function show(anew = false) {
  const { view } = place();
  if (view === shown && !anew) return;
  shown = view;
  for (const name of ['search', ...VIEWS]) {
    byId(`view-${name}`).hidden = name !== view;
    const link = byId(`to-${name}`);
    if (name === view) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  document.title = view === 'search' ? 'Longwatch' : `${byId(`to-${view}`).textContent} · Longwatch`;
  for (const listener of viewListeners) listener(view);
}

/** Calls back when a link of the page was followed or the history was gone through. The state of an entry goes along to the next view. */
export function onMove(listener) {
  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    const address = new URL(location.href);
    address.hash = link.hash;
    if (address.href !== location.href) history.pushState(history.state, '', address);
    listener();
  });
  window.addEventListener('popstate', listener);
}
