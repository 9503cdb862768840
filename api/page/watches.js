/** Standing queries: what to tell of, where to, and how the telling went. */

import { ask, byId, clock, make } from './dom.js';
import { onView } from './route.js';
import { guarded } from './session.js';
import { narrowing } from './tags.js';

const STATES = { pending: 'to be sent', delivered: 'delivered', failed: 'given up' };

onView((view) => {
  if (view !== 'watches') return;
  guarded(load).then((error) => {
    if (error) say(error.message);
  });
});

async function load() {
  say('Loading…');
  const items = [];
  let cursor = '';
  // At most a hundred stand at a time.
  do {
    const page = await ask(`/v1/watches?limit=100${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor ?? '';
  } while (cursor !== '');
  byId('watches').replaceChildren(...items.map(watchItem));
  told();
}

function told() {
  say(
    byId('watches').childElementCount > 0
      ? ''
      : 'Nothing is waited for yet. Say above what to look out for and which address is to be told: each new stretch of video is searched for it as it is read.',
  );
}

function watchItem(watch) {
  const log = make('ol', { class: 'log', 'aria-label': `Notices of “${watch.query}”` });
  const note = make('p', { class: 'note', role: 'status' });
  const details = make('details', { class: 'watch-log' }, make('summary', {}, 'Notices'), note, log);
  details.addEventListener('toggle', () => {
    if (details.open) loadLog(watch.id, log, note);
  });
  const remove = make('button', { type: 'button', class: 'quiet', 'aria-label': `Remove “${watch.query}”` }, 'Remove');
  const item = make(
    'li',
    {},
    make(
      'div',
      { class: 'watch' },
      make(
        'div',
        {},
        make('span', { class: 'name' }, watch.query),
        make(
          'span',
          { class: 'from' },
          [
            placesOf(watch),
            watch.min_score > 0 && `from a score of ${watch.min_score}`,
            `since ${new Date(watch.created_at).toLocaleDateString()}`,
          ]
            .filter(Boolean)
            .join(' · '),
        ),
        make('span', { class: 'from path', title: watch.url }, watch.url),
      ),
      remove,
    ),
    details,
  );
  remove.addEventListener('click', async () => {
    remove.disabled = true;
    try {
      await ask(`/v1/watches/${watch.id}`, { method: 'DELETE' });
      const next = item.nextElementSibling ?? item.previousElementSibling;
      item.remove();
      (next?.querySelector('button') ?? byId('watch-query')).focus();
      told();
    } catch (error) {
      remove.disabled = false;
      say(error.message);
    }
  });
  return item;
}

function placesOf({ video_ids, tags }) {
  if (video_ids) return `in ${video_ids.map(titleOf).join(', ')}`;
  return tags ? `in videos with the tag ${tags.join(', ')}` : 'in all videos and those that come';
}

/** The title of a video that the page knows, else its id. */
function titleOf(id) {
  return [...byId('scope').options].find(({ value }) => value === id)?.textContent ?? id;
}

async function loadLog(id, log, note) {
  note.textContent = 'Loading…';
  try {
    const { items } = await ask(`/v1/watches/${id}/deliveries?limit=50`);
    log.replaceChildren(...items.map(deliveryItem));
    note.textContent = items.length > 0 ? '' : 'Nothing was found so far.';
  } catch (error) {
    note.textContent = error.message;
  }
}

function deliveryItem(delivery) {
  const next = delivery.next_attempt_at && `next try ${new Date(delivery.next_attempt_at).toLocaleTimeString()}`;
  const facts = [
    new Date(delivery.created_at).toLocaleString(),
    `${delivery.attempts} ${delivery.attempts === 1 ? 'attempt' : 'attempts'}`,
    delivery.http_status && `answered ${delivery.http_status}`,
    next,
  ];
  return make(
    'li',
    {},
    make(
      'span',
      { class: 'from time' },
      make('span', { class: 'state', 'data-state': delivery.state }, STATES[delivery.state] ?? delivery.state),
      ` ${facts.filter(Boolean).join(' · ')}`,
    ),
    delivery.error && make('span', { class: 'error' }, delivery.error.detail),
    make('ul', {}, ...delivery.notice.matches.map(matchItem)),
  );
}

function matchItem({ video_id, title, start_s, text }) {
  const place = new URLSearchParams({ video: video_id, t: start_s.toFixed(3) });
  return make('li', {}, make('a', { href: `#${place}`, class: 'time' }, clock(start_s)), ` ${title}: ${text}`);
}

function say(text) {
  byId('watches-note').textContent = text;
}

byId('watch-form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const note = byId('watch-error');
  const body = {
    query: byId('watch-query').value.trim(),
    url: byId('watch-url').value.trim(),
    ...narrowing(byId('watch-scope').value),
  };
  note.textContent = '';
  try {
    const { secret, ...watch } = await ask('/v1/watches', {
      method: 'POST',
      body,
      headers: { 'Idempotency-Key': crypto.randomUUID?.() ?? `${Date.now()} ${Math.random()}`.replace(' ', '-') },
    });
    byId('watches').prepend(watchItem(watch));
    byId('watch-form').reset();
    byId('secret').value = secret;
    byId('secret-box').hidden = false;
    byId('secret').focus();
    byId('secret').select();
    told();
  } catch (error) {
    note.textContent = error.message;
  }
});

byId('secret-done').addEventListener('click', () => {
  byId('secret').value = '';
  byId('secret-box').hidden = true;
  byId('watch-query').focus();
});
