/** Wires the page: the question in the address, who speaks, and the parts that need no call of their own. */

import './clip.js';
import './keys.js';
import './scenes.js';
import './timeline.js';
import './watches.js';
import './work.js';
import { askQuestion, clearReply, conversation } from './ask.js';
import { ask, byId, withCode } from './dom.js';
import { clear, search } from './hits.js';
import { mediaTime, opened, play } from './player.js';
import { onMove, place, show } from './route.js';
import { guarded, onSignIn } from './session.js';
import { takeDrops } from './uploads.js';
import { start, videoOf } from './videos.js';

const query = byId('query');
const scope = byId('scope');

/** Whose words these are, where that is not a model for any picture. */
async function sayWhoSpeaks() {
  const { note } = await ask('/v1/models').catch(() => ({}));
  byId('model-note').replaceChildren(...withCode(note ?? ''));
}

async function begin() {
  show(true);
  const error = await guarded(start);
  if (error) byId('videos-note').textContent = error.message;
  // Who was faster than the list of videos has typed or even asked already.
  else await Promise.all([sayWhoSpeaks(), askedHere() === answered ? undefined : answer(query.value), goToPlace()]);
}

/** Opens the video that the address names, at its time. */
async function goToPlace() {
  const { video, time } = place();
  show();
  if (video === undefined) return;
  // What is on screen already was noted there by the player itself.
  if (opened()?.id === video && Math.abs(mediaTime() - time) < 0.002) return;
  try {
    await play(await videoOf(video), { start: time });
  } catch (error) {
    byId('videos-note').textContent = error.message;
  }
}

let answered;

/** Answers what stands in the address. @param {string} typed what stays in the field when nothing is asked */
async function answer(typed = '') {
  answered = askedHere();
  const { q = '', ask: asked } = Object.fromEntries(new URL(location.href).searchParams);
  query.value = q === '' ? typed : q;
  if (q === '') clear();
  if (q === '' || asked === undefined) clearReply();
  if (q === '') return;
  // An answer in sentences comes beside the moments that the search finds.
  await guarded(() =>
    Promise.all([
      search(q, scope.value),
      asked === undefined ? undefined : askQuestion(q, scope.value, history.state?.turns ?? []),
    ]),
  );
}

/** What makes two places in the history different questions: going to another view or time is none. */
function askedHere() {
  return JSON.stringify([location.search, history.state]);
}

async function submit(asked) {
  const address = new URL(location.href);
  const text = query.value.trim();
  address.search = '';
  if (text !== '') address.searchParams.set('q', text);
  if (text !== '' && asked) address.searchParams.set('ask', '1');
  // The conversation belongs to the place in the history: going back goes back in it too.
  if (address.href !== location.href) history.pushState(asked ? { turns: conversation() } : undefined, '', address);
  await answer();
}

byId('search').addEventListener('submit', (event) => {
  event.preventDefault();
  submit(event.submitter === byId('ask'));
});
query.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  submit(true);
});
onMove(() => {
  if (askedHere() !== answered) answer();
  goToPlace();
});
byId('forget').addEventListener('click', () => {
  history.replaceState(undefined, '');
  answer();
});

onSignIn(() => {
  // What was refused is asked again.
  answered = undefined;
  return begin();
});
takeDrops();
begin();
