/** A question answered in sentences, each with the places that it rests on, as they come. It is understood with the questions before it. */

import { ApiError, ask, byId, clock, frameImage, make } from './dom.js';
import { play } from './player.js';
import { narrowing } from './tags.js';
import { videoOf } from './videos.js';

/** Turns that go along with a question: as many as the server looks back on. */
const MAX_TURNS = 6;
/** Letters of an answer that go along. */
const MAX_ANSWER = 2000;

let running;
/** What was asked and answered before the answer on the page, and with it. */
let turns = [];
let latest;

/**
 * @param {string} question
 * @param {string} scope see `narrowing`
 * @param {{question: string, answer: string}[]} before the conversation so far
 * @throws {ApiError}
 */
export async function askQuestion(question, scope, before) {
  running?.abort();
  turns = before;
  latest = undefined;
  showTurns();
  running = new AbortController();
  const { signal } = running;
  byId('reply').hidden = false;
  byId('reply').setAttribute('aria-busy', 'true');
  byId('sentences').replaceChildren();
  note('Looking for places that answer this…');
  try {
    const body = { question, ...narrowing(scope), ...(turns.length > 0 ? { turns } : {}) };
    for await (const { name, data } of events(body, signal)) take(name, data);
  } catch (error) {
    if (error.name === 'AbortError') return;
    note(error.message);
    throw error;
  } finally {
    if (!signal.aborted) byId('reply').removeAttribute('aria-busy');
  }
}

/** The turns that a next question follows: those so far and the one that is answered on the page. */
export function conversation() {
  return [...turns, ...(latest === undefined ? [] : [latest])].slice(-MAX_TURNS);
}

export function clearReply() {
  running?.abort();
  turns = [];
  latest = undefined;
  showTurns();
  byId('reply').hidden = true;
  byId('sentences').replaceChildren();
}

function take(name, data) {
  if (name === 'found') {
    const count = data.citations.length;
    note(count === 0 ? 'No place was found.' : `Reading ${count} ${count === 1 ? 'place' : 'places'}…`);
  } else if (name === 'sentence') {
    byId('sentences').append(sentence(data));
  } else if (name === 'answer') {
    latest = {
      question: data.question,
      answer: data.sentences
        .map(({ text }) => text)
        .join(' ')
        .slice(0, MAX_ANSWER),
    };
    note(about(data));
  } else if (name === 'problem') {
    throw new ApiError(data.status, data);
  }
}

function about(answer) {
  const by = {
    model: `In the words of ${answer.model ?? 'a model'}, from what the search found.`,
    quotes: 'No model wrote this: it is what stands at the places that the search found.',
    search: 'Ask in other words, or search for one thing at a time.',
  }[answer.by];
  const searched = answer.searched_for === undefined ? '' : `Searched for: ${answer.searched_for}.`;
  return [answer.found ? '' : 'The library does not show it.', searched, answer.note ?? by].filter(Boolean).join(' ');
}

function showTurns() {
  byId('turns').hidden = turns.length === 0;
  byId('turns-list').replaceChildren(
    ...turns.map(({ question, answer }) =>
      make('li', {}, make('p', { class: 'asked' }, question), make('p', { class: 'note' }, answer)),
    ),
  );
}

function sentence({ text, citations }) {
  return make(
    'div',
    { class: 'sentence' },
    make('p', {}, text),
    make('div', { class: 'cites' }, ...citations.map(cite)),
  );
}

function cite(place) {
  const span = `${clock(place.start_s)} – ${clock(place.end_s)}`;
  const button = make(
    'button',
    { type: 'button', class: 'cite', title: place.text },
    frameImage(`${place.frame_url}?width=160`, ''),
    make('span', { class: 'time' }, span),
    make('span', { class: 'from' }, place.title),
  );
  button.addEventListener('click', async () => {
    try {
      await play(await videoOf(place.video_id), { start: place.start_s, end: place.end_s });
    } catch (error) {
      note(error.message);
    }
  });
  return button;
}

/** The server-sent events of an answer. */
async function* events(body, signal) {
  const response = await ask('/v1/ask', {
    method: 'POST',
    body,
    signal,
    headers: { Accept: 'text/event-stream' },
    whole: true,
  });
  let text = '';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    const blocks = (text + step.value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (name !== undefined && data !== undefined) yield { name, data: JSON.parse(data) };
    }
  }
}

function note(text) {
  byId('reply-note').textContent = text;
}
