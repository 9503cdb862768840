/** The work that is being done, kept up to date by the server. */

import { ask, byId, clockShort, make } from './dom.js';

/** Milliseconds without progress after which a job is said to stand still. */
const STANDS_STILL_AFTER = 60_000;

/** What is shown: by job id, the item and how to show a newer state in it, so that a focused button stays where it is. */
const shown = new Map();
let stream;
let onDone = () => {};
/** @type {((job: object) => void)[]} */
const listeners = [];

/** Calls back with every change of a job. */
export function onJob(listener) {
  listeners.push(listener);
}

/** Follows all jobs. @param {(videoId: string) => void} done called when the ingest of a video has ended */
export function followJobs(done) {
  onDone = done;
  stream?.close();
  stream = new EventSource('/v1/events/stream');
  stream.addEventListener('job', ({ data }) => {
    const job = JSON.parse(data);
    showJob(job);
    for (const listener of listeners) listener(job);
  });
}

/** Shows the state of a job; one that is over disappears, one that was seen to fail stays with its reason. */
export function showJob(job) {
  const known = shown.get(job.id);
  const over = job.state === 'done' || job.state === 'cancelled';
  if (known) {
    if (job.updated_at < known.job.updated_at) return;
    known.job = job;
    known.update(job);
    if (over) {
      known.item.remove();
      shown.delete(job.id);
      if (job.video_id !== undefined) onDone(job.video_id);
    }
  } else if (!over && job.state !== 'failed') {
    const { item, update } = jobItem(job);
    shown.set(job.id, { job, item, update });
    byId('jobs').append(item);
    update(job);
  }
}

function jobItem({ id, path }) {
  const name = path.split(/[/\\]/).at(-1);
  const figures = make('span', { class: 'from time' });
  const bar = make('progress', { max: 1, 'aria-label': `Progress of ${name}` });
  const reason = make('span', { class: 'error', role: 'alert' });
  const stop = make('button', { type: 'button', class: 'quiet', 'aria-label': `Cancel ${name}` }, 'Cancel');
  stop.addEventListener('click', () => {
    stop.disabled = true;
    ask(`/v1/jobs/${id}`, { method: 'DELETE' }).catch((error) => {
      stop.disabled = false;
      reason.textContent = error.message;
    });
  });
  const item = make(
    'li',
    { class: 'job' },
    make('div', {}, make('span', { class: 'name' }, name), figures, bar, reason),
    stop,
  );
  const update = (job) => {
    const failed = job.state === 'failed';
    const stands = job.idle_ms >= STANDS_STILL_AFTER;
    const parts = [
      job.state === 'running' ? `${Math.floor(job.progress * 100)} %` : job.state,
      job.stage === job.state ? '' : job.stage,
      stands && `no progress for ${clockShort(job.idle_ms / 1000)}`,
      !stands && job.speed_x && `${job.speed_x.toFixed(1)}× real time`,
      !stands && job.eta_ms && `${clockShort(job.eta_ms / 1000)} left`,
    ];
    figures.textContent = parts.filter(Boolean).join(' · ');
    bar.value = job.progress;
    bar.hidden = failed;
    stop.hidden = failed;
    if (failed) reason.textContent = [job.error?.detail, job.error?.hint].filter(Boolean).join(' ');
  };
  return { item, update };
}
