/** Tags: of the video that is open, to be put on it and taken away, and of all videos, to ask some of them only. */

import { ask, byId, make } from './dom.js';
import { onOpen } from './player.js';

/** What the choice of a tag is called in the list of places to search; ids of videos have no colon. */
const PREFIX = 'tag:';

let known = [];
let open;
/** @type {((change?: { id: string, tags: string[] }) => void)[]} */
const listeners = [];

/** Calls back when the tags of the library are known anew, with the video whose tags changed. */
export function onTags(listener) {
  listeners.push(listener);
}

/** Asks for the tags of the library. @throws {ApiError} */
export async function loadTags(change) {
  known = (await ask('/v1/tags')).items;
  for (const listener of listeners) listener(change);
}

/** The tags as places to search. */
export function tagOptions() {
  if (known.length === 0) return undefined;
  return make(
    'optgroup',
    { label: 'Tags' },
    ...known.map(({ tag, videos }) => make('option', { value: PREFIX + tag }, `${tag} (${videos})`)),
  );
}

/** What a chosen place to search is in a request. @param {string} scope id of a video, a tag as `tagOptions` names it, or empty for all */
export function narrowing(scope) {
  if (scope === '') return {};
  return scope.startsWith(PREFIX) ? { tags: [scope.slice(PREFIX.length)] } : { video_ids: [scope] };
}

function draw(tags) {
  byId('tags-list').replaceChildren(
    ...tags.map((tag) => {
      const take = make('button', { type: 'button', class: 'take', 'aria-label': `Take the tag ${tag} away` }, '×');
      take.addEventListener('click', () => change({ remove_tags: [tag] }));
      return make('li', {}, tag, take);
    }),
  );
}

async function change(body) {
  const { id } = open;
  byId('tags-note').textContent = '';
  try {
    const changed = await ask(`/v1/videos/${id}`, { method: 'PATCH', body });
    if (open.id === id) draw(changed.tags);
    await loadTags(changed);
  } catch (error) {
    byId('tags-note').textContent = error.message;
  }
}

onOpen((record) => {
  open = record;
  byId('tags-note').textContent = '';
  draw(record.tags);
});

byId('tags').addEventListener('submit', async (event) => {
  event.preventDefault();
  const field = byId('new-tag');
  if (field.value.trim() === '') return;
  await change({ add_tags: [field.value] });
  if (byId('tags-note').textContent === '') field.value = '';
});
