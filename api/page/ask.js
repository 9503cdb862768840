/** A question answered in sentences, each with the places that it rests on, as they come. */

import { ApiError, ask, byId, clock, frameImage, make } from './dom.js';
import { play } from './player.js';
import { videoOf } from './videos.js';

let running;

/** @param {string} question @param {string} scope id of a video, or empty for all @throws {ApiError} */
export async function askQuestion(question, scope) {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  byId('reply').hidden = false;
  byId('reply').setAttribute('aria-busy', 'true');
  byId('sentences').replaceChildren();
  note('Looking for places that answer this…');
  try {
    const body = scope === '' ? { question } : { question, video_ids: [scope] };
    for await (const { name, data } of events(body, signal)) take(name, data);
  } catch (error) {
    if (error.name === 'AbortError') return;
    note(error.message);
    throw error;
  } finally {
    if (!signal.aborted) byId('reply').removeAttribute('aria-busy');
  }
}

export function clearReply() {
  running?.abort();
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
  return [answer.found ? '' : 'The library does not show it.', answer.note ?? by].filter(Boolean).join(' ');
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
