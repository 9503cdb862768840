/** Files that are dropped on the page or chosen: sent in pieces, taken up again where they broke off. */

import { ask, byId, make, sizeText } from './dom.js';
import { showJob } from './jobs.js';

/** Small enough to move the bar, large enough to keep the line busy. */
const PIECE = 8 * 1024 * 1024;
const PIECE_TYPE = 'application/offset+octet-stream';
/** Milliseconds before each new try of a piece that did not arrive; after the last, a person decides. */
const TRIES = [500, 2000, 5000];

/** Listens for files, from the whole page. */
export function takeDrops() {
  const target = byId('drop');
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    target.hidden = false;
  });
  document.addEventListener('dragleave', (event) => {
    if (event.relatedTarget === null) target.hidden = true;
  });
  document.addEventListener('drop', (event) => {
    target.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    send([...event.dataTransfer.files]);
  });
  byId('files').addEventListener('change', ({ target: input }) => {
    send([...input.files]);
    input.value = '';
  });
}

/** One file after the other: together they would only share the line. */
async function send(files) {
  const items = files.map(uploadItem);
  for (const item of items) await item.start();
}

function uploadItem(file) {
  const figures = make('span', { class: 'from time' }, 'waiting to be sent');
  const bar = make('progress', { max: 1, value: 0, 'aria-label': `Sending ${file.name}` });
  const reason = make('span', { class: 'error', role: 'alert' });
  const again = make('button', { type: 'button', class: 'quiet', hidden: true }, 'Go on');
  const stop = make('button', { type: 'button', class: 'quiet', 'aria-label': `Cancel ${file.name}` }, 'Cancel');
  const item = make(
    'li',
    { class: 'job upload' },
    make('div', {}, make('span', { class: 'name' }, file.name), figures, bar, reason),
    again,
    stop,
  );
  byId('jobs').append(item);
  let abort = new AbortController();
  let address;

  async function start() {
    if (abort.signal.aborted) return;
    reason.textContent = '';
    again.hidden = true;
    try {
      const upload = await sendFile(file, abort.signal, (state) => {
        address = `/v1/uploads/${state.id}`;
        bar.value = state.offset_bytes / file.size;
        figures.textContent = `sending · ${Math.floor(bar.value * 100)} % of ${sizeText(file.size)}`;
      });
      localStorage.removeItem(memoryOf(file));
      item.remove();
      showJob(await ask(`/v1/jobs/${upload.job_id}`));
    } catch (error) {
      if (abort.signal.aborted) return;
      reason.textContent = error.message;
      // What the server will not take does not get better by trying again.
      again.hidden = [403, 413, 422, 507].includes(error.status);
      figures.textContent = 'not sent';
    }
  }

  again.addEventListener('click', start);
  stop.addEventListener('click', async () => {
    abort.abort();
    item.remove();
    localStorage.removeItem(memoryOf(file));
    if (address) await ask(address, { method: 'DELETE' }).catch(() => {});
    abort = new AbortController();
    abort.abort();
  });
  return { start };
}

async function sendFile(file, signal, onState) {
  let upload = await begin(file, signal);
  onState(upload);
  for (let failures = 0; upload.job_id === undefined; ) {
    const piece = file.slice(upload.offset_bytes, upload.offset_bytes + Math.min(PIECE, upload.piece_bytes_max));
    const headers = { 'Content-Type': PIECE_TYPE, 'Upload-Offset': String(upload.offset_bytes) };
    const address = `/v1/uploads/${upload.id}`;
    try {
      upload = await ask(address, { method: 'PATCH', bytes: piece, headers, signal });
      failures = 0;
    } catch (error) {
      const passing = error.status === 0 || error.status === 409 || error.status >= 500;
      if (signal.aborted || !passing || error.status === 507 || failures === TRIES.length) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRIES[failures]));
      const there = await ask(address, { signal }).catch(() => upload);
      // A slow line breaks off and still gets on.
      failures = there.offset_bytes > upload.offset_bytes ? 0 : failures + 1;
      upload = there;
    }
    onState(upload);
  }
  return upload;
}

/** A new upload, or the one of the same file that broke off before. */
async function begin(file, signal) {
  const id = localStorage.getItem(memoryOf(file));
  const known = id === null ? undefined : await ask(`/v1/uploads/${id}`, { signal }).catch(() => undefined);
  if (known?.size_bytes === file.size && known.job_id === undefined) return known;
  const upload = await ask('/v1/uploads', {
    method: 'POST',
    body: { name: file.name, size_bytes: file.size },
    signal,
  });
  localStorage.setItem(memoryOf(file), upload.id);
  return upload;
}

function memoryOf({ name, size, lastModified }) {
  return `longwatch upload ${name} ${size} ${lastModified}`;
}
