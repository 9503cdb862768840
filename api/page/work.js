/** The work: how it stands, every job with what can be done about it, and what is installed. */

import { ask, byId, clockShort, make, sizeText } from './dom.js';
import { onJob } from './jobs.js';
import { onView } from './route.js';
import { guarded } from './session.js';

const PAGE = 50;
/** Milliseconds between two looks at the status while it is shown. */
const LOOK_EVERY = 5000;
/** Sooner than what is usual, so that a second one that is hastened comes behind the first. */
const SOONER = 10;

const STATES = {
  queued: 'waiting',
  running: 'running',
  paused: 'paused',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
};

/** What a button does, by state. */
const ACTIONS = {
  queued: ['sooner', 'pause', 'cancel'],
  running: ['pause', 'cancel'],
  paused: ['resume', 'cancel'],
  failed: ['retry'],
  cancelled: ['retry'],
  done: ['open'],
};

const REQUESTS = {
  sooner: (job) => ask(`/v1/jobs/${job.id}/priority`, { method: 'POST', body: { priority: sooner(job) } }),
  pause: (job) => ask(`/v1/jobs/${job.id}/pause`, { method: 'POST' }),
  resume: (job) => ask(`/v1/jobs/${job.id}/resume`, { method: 'POST' }),
  retry: (job) => ask(`/v1/jobs/${job.id}/retry`, { method: 'POST' }),
  cancel: (job) => ask(`/v1/jobs/${job.id}`, { method: 'DELETE' }),
};

/** By id, the newest first. @type {Map<string, { job: object, item: HTMLElement, update: (job: object) => void }>} */
const rows = new Map();
let cursor;
let paused = false;
let looking;

onView((view) => {
  clearInterval(looking);
  if (view !== 'work') return;
  guarded(begin).then((error) => {
    if (error) byId('work-note').textContent = error.message;
  });
  looking = setInterval(() => {
    if (!document.hidden) look().catch((error) => say(error.message));
  }, LOOK_EVERY);
});

async function begin() {
  rows.clear();
  byId('work-jobs').replaceChildren();
  cursor = undefined;
  say('Loading the jobs…');
  await Promise.all([look(), more()]);
  say('');
  told();
}

async function more() {
  const next = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`;
  const page = await ask(`/v1/jobs?limit=${PAGE}${next}`);
  for (const job of page.items) showRow(job, 'last');
  cursor = page.next_cursor;
  byId('more-jobs').hidden = cursor === undefined;
}

async function look() {
  const [{ queue, library, disk }, { workers }, { folders }] = await Promise.all([
    ask('/v1/status'),
    ask('/v1/workers'),
    ask('/v1/folders'),
  ]);
  const { jobs } = queue;
  paused = queue.paused;
  const waits = queue.oldest_queued_s === undefined ? '' : `oldest for ${clockShort(queue.oldest_queued_s)}`;
  const figures = [
    ['Running', String(jobs.running ?? 0), queue.speed_x === undefined ? '' : `${queue.speed_x.toFixed(1)}× real time`],
    ['Waiting', String(jobs.queued ?? 0), paused ? 'the queue is paused' : waits],
    ['Failed', String(jobs.failed ?? 0), jobs.paused ? `${jobs.paused} paused` : ''],
    [
      'In the library',
      `${library.videos} ${library.videos === 1 ? 'video' : 'videos'}`,
      clockShort(library.duration_s),
    ],
    ['Free on disk', sizeText(disk.free_bytes), `of ${sizeText(disk.total_bytes)}`],
  ];
  byId('status').replaceChildren(
    ...figures.map(([name, value, more]) =>
      make('div', {}, make('dt', {}, name), make('dd', { class: 'time' }, value), make('dd', { class: 'note' }, more)),
    ),
  );
  byId('queue').textContent = paused ? 'Let the queue go on' : 'Pause the queue';
  byId('queue').hidden = false;
  byId('work-workers').hidden = workers.length === 0;
  byId('workers').replaceChildren(...workers.map(workerRow));
  byId('work-folders').hidden = folders.length === 0;
  byId('folders').replaceChildren(...folders.map(folderRow));
}

const FOLDER_STATES = { new: 'not listed yet', listing: 'being listed', listed: 'in step', failed: 'cannot be listed' };

function folderRow({ place, state, videos, waiting, listed_at, next_at, error }) {
  const clock = (date) => new Date(date).toLocaleTimeString();
  const figures = [
    `${videos} ${videos === 1 ? 'video' : 'videos'}`,
    waiting > 0 && `${waiting} not taken yet`,
    listed_at && `listed ${clock(listed_at)}`,
    next_at && `again ${clock(next_at)}`,
  ];
  const name = make('span', { class: 'name' }, place, ' ');
  name.append(make('span', { class: 'state', 'data-state': state }, FOLDER_STATES[state] ?? state));
  const reason = [error?.detail, error?.hint].filter(Boolean).join(' ');
  return make(
    'li',
    { class: 'job' },
    make(
      'div',
      {},
      name,
      make('span', { class: 'from time' }, figures.filter(Boolean).join(' · ')),
      make('span', { class: 'error' }, reason),
    ),
  );
}

/** A process that does jobs. */
function workerRow({ host, state, parts, jobs, silence_ms }) {
  return make(
    'li',
    { class: 'job' },
    make(
      'div',
      {},
      make('span', { class: 'name' }, host, ' ', make('span', { class: 'state', 'data-state': state }, state)),
      make('span', { class: 'from' }, `does ${parts.join(', ')}`),
      ...jobs.map((job) => make('span', { class: 'from time' }, standing(job))),
      state === 'lost' ? make('span', { class: 'from' }, `not heard of for ${clockShort(silence_ms / 1000)}`) : '',
    ),
  );
}

function standing({ path, stage, progress, speed_x }) {
  const speed = speed_x === undefined ? '' : `, ${speed_x.toFixed(1)}× real time`;
  return `${nameOf(path)}: ${stage}, ${Math.round(100 * progress)} %${speed}`;
}

function nameOf(path) {
  return path.split(/[/\\]/).at(-1);
}

function showRow(job, where) {
  const known = rows.get(job.id);
  if (known) {
    if (job.updated_at < known.job.updated_at) return;
    known.job = job;
    known.update(job);
    return;
  }
  const row = jobRow(job);
  rows.set(job.id, { job, ...row });
  if (where === 'last') byId('work-jobs').append(row.item);
  else byId('work-jobs').prepend(row.item);
}

function jobRow(first) {
  const { path } = first;
  const name = nameOf(path);
  const state = make('span', { class: 'state' });
  const figures = make('span', { class: 'from time' });
  const bar = make('progress', { max: 1, 'aria-label': `Progress of ${name}` });
  const reason = make('span', { class: 'error', role: 'alert' });
  const buttons = make('span', { class: 'tools' });
  const item = make(
    'li',
    { class: 'job' },
    make(
      'div',
      {},
      make('span', { class: 'name' }, name, ' ', state),
      make('span', { class: 'from path', title: path }, path),
      figures,
      bar,
      reason,
    ),
    buttons,
  );
  let offered = '';
  const update = (job) => {
    state.textContent = STATES[job.state] ?? job.state;
    state.dataset.state = job.state;
    figures.textContent = figuresOf(job);
    bar.value = job.progress;
    bar.hidden = job.state !== 'running';
    reason.textContent = [job.error?.detail, job.error?.hint].filter(Boolean).join(' ');
    // Made anew only when they change, so that a focused button stays where it is.
    const actions = ACTIONS[job.state].filter((action) => action !== 'open' || job.video_id !== undefined);
    if (actions.join() === offered) return;
    offered = actions.join();
    buttons.replaceChildren(...actions.map((action) => actionOf(action, job, name, reason)));
  };
  update(first);
  return { item, update };
}

function figuresOf(job) {
  const at = new Date(job.created_at);
  return [
    job.state === 'running' && `${Math.floor(job.progress * 100)} % of ${job.stage}`,
    job.speed_x && `${job.speed_x.toFixed(1)}× real time`,
    job.eta_ms && `${clockShort(job.eta_ms / 1000)} left`,
    job.priority !== 0 && `priority ${job.priority}`,
    job.attempts > 1 && `attempt ${job.attempts}`,
    job.run_at && `tried again ${new Date(job.run_at).toLocaleTimeString()}`,
    `asked for ${at.toLocaleDateString()} ${at.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}`,
  ]
    .filter(Boolean)
    .join(' · ');
}

function actionOf(action, { id, video_id }, name, reason) {
  const label = action[0].toUpperCase() + action.slice(1);
  if (action === 'open') return make('a', { href: `#video=${video_id}`, 'aria-label': `Open ${name}` }, label);
  const button = make('button', { type: 'button', class: 'quiet', 'aria-label': `${label} ${name}` }, label);
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      showRow(await REQUESTS[action](rows.get(id).job), 'first');
      await look();
    } catch (error) {
      reason.textContent = error.message;
    }
    button.disabled = false;
  });
  return button;
}

/** Before everything that waits. */
function sooner(job) {
  const waiting = [...rows.values()].filter((row) => row.job.state === 'queued' && row.job.id !== job.id);
  return Math.min(100, Math.max(SOONER, ...waiting.map((row) => row.job.priority + 1)));
}

function told() {
  if (rows.size === 0) say('No job was asked for yet. Add a video on the search page, or run “longwatch ingest FILE”.');
}

function say(text) {
  byId('work-note').textContent = text;
}

onJob((job) => {
  if (byId('view-work').hidden) return;
  if (rows.size === 0) say('');
  showRow(job, 'first');
});

byId('queue').addEventListener('click', async () => {
  byId('queue').disabled = true;
  try {
    await ask(`/v1/jobs/${paused ? 'resume' : 'pause'}`, { method: 'POST' });
    await look();
    say('');
  } catch (error) {
    say(error.message);
  }
  byId('queue').disabled = false;
});

byId('more-jobs').addEventListener('click', () => {
  more().catch((error) => say(error.message));
});

const installed = byId('installed');
installed.addEventListener('toggle', async () => {
  if (!installed.open || byId('parts').childElementCount > 0) return;
  const note = byId('parts-note');
  note.textContent = 'Trying the parts, which takes some seconds…';
  try {
    const { parts } = await ask('/v1/status/parts');
    byId('parts').replaceChildren(
      ...parts.map(({ name, state, detail, hint }) =>
        make(
          'li',
          {},
          make('span', { class: 'name' }, name, ' ', make('span', { class: 'state', 'data-state': state }, state)),
          make('span', { class: 'from' }, detail),
          hint && make('span', { class: 'from' }, hint),
        ),
      ),
    );
    note.textContent = '';
  } catch (error) {
    note.textContent = error.message;
  }
});
