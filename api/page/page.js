/** Wires the page: the question in the address, signing in, shortcuts. */

import { ask, byId } from './dom.js';
import { clear, search } from './hits.js';
import { start } from './videos.js';

const query = byId('query');
const scope = byId('scope');
const signIn = byId('sign-in');

async function guarded(work) {
  try {
    await work();
    signIn.hidden = true;
  } catch (error) {
    if (error.status === 401) {
      signIn.hidden = false;
      byId('token').focus();
    }
    return error;
  }
}

/** Whose words these are, where that is not a model for any picture. */
async function sayWhoSpeaks() {
  const { note } = await ask('/v1/models').catch(() => ({}));
  byId('model-note').textContent = note ?? '';
}

async function begin() {
  const error = await guarded(start);
  if (error) byId('videos-note').textContent = error.message;
  else await Promise.all([sayWhoSpeaks(), askQuestion()]);
}

async function askQuestion() {
  const text = query.value.trim();
  if (text === '') clear();
  else await guarded(() => search(text, scope.value));
}

byId('search').addEventListener('submit', async (event) => {
  event.preventDefault();
  const address = new URL(location.href);
  if (query.value.trim() === '') address.searchParams.delete('q');
  else address.searchParams.set('q', query.value.trim());
  if (address.href !== location.href) history.pushState(undefined, '', address);
  await askQuestion();
});

window.addEventListener('popstate', () => {
  query.value = new URL(location.href).searchParams.get('q') ?? '';
  askQuestion();
});

signIn.addEventListener('submit', async (event) => {
  event.preventDefault();
  const note = byId('sign-in-error');
  note.textContent = '';
  try {
    await ask('/v1/session', { method: 'POST', body: { token: byId('token').value } });
    await begin();
  } catch (error) {
    note.textContent = error.message;
  }
});

document.addEventListener('keydown', (event) => {
  const typing = event.target.closest('input, select, textarea, video');
  if (event.key !== '/' || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  query.focus();
  query.select();
});

query.value = new URL(location.href).searchParams.get('q') ?? '';
begin();
