/** Cuts a stretch of the open video into a file, in the browser, by the same rules as the server. */

import {
  COPIED_CONTAINERS,
  COPIED_VIDEO,
  clipArguments,
  clipTicks,
  PACKET_LIST,
  planClip,
  readClipPackets,
} from './clip-plan.js';
import { byId, clock, make, parseClock, sizeText } from './dom.js';
import { onOpen, onSpan, opened } from './player.js';

/** A clip is put together in the browser's memory; one that may be larger is for the server. */
const CLIP_BYTES_MAX = 256e6;
/** What a stretch that is coded again may take of what it takes in the file. */
const CODED_AGAIN = 2;
/** How far behind the end packets are read, and how far before the start where none was found at it, in seconds. */
const READ_AHEAD = 2;
const RUN_UPS = [0, 10];

const form = byId('clip');
let cutter;
let link;

onOpen(() => {
  stop();
  say('');
});

onSpan(({ start, end }) => {
  byId('clip-from').value = clock(start);
  byId('clip-to').value = end === undefined ? '' : clock(end);
});

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const record = opened();
  const start = parseClock(byId('clip-from').value);
  const end = parseClock(byId('clip-to').value);
  if (start === undefined || end === undefined)
    return say('Write times as seconds (90.5) or as a clock does (1:30, 0:01:30.250).');
  if (!(end > start)) return say('The clip ends before it begins.');
  if (start >= record.duration_s) return say(`The video ends at ${clock(record.duration_s)}.`);
  if (!COPIED_CONTAINERS.includes(record.container))
    return say('The browser does not cut this kind of file.', serverLink(record, start, end));
  const length = Math.min(end, record.duration_s) - start;
  const estimate = (record.size_bytes / record.duration_s) * length;
  if (estimate > CLIP_BYTES_MAX)
    return say(
      `This clip would have about ${sizeText(estimate)}, and the browser holds at most ${sizeText(CLIP_BYTES_MAX)} in its memory.`,
      serverLink(record, start, end),
    );
  working(true);
  try {
    const clip = await cut(record, { start, end });
    // A clip of another video than the one that is open now would be a surprise.
    if (clip && opened() === record) offer(record, clip);
  } catch (error) {
    // One that was stopped has said so already.
    if (!cutter) return undefined;
    say(`The browser could not cut it: ${error.message ?? error}`, serverLink(record, start, end));
    stop();
  } finally {
    working(false);
  }
  return undefined;
});

byId('clip-stop').addEventListener('click', () => {
  stop();
  say('Stopped.');
});

function working(on) {
  byId('clip-stop').hidden = !on;
  form.querySelector('button[type=submit]').disabled = on;
}

function stop() {
  cutter?.terminate();
  cutter = undefined;
}

async function cut(record, range) {
  if (!cutter) say('Loading ffmpeg from this server (32 MB, once)…');
  const ffmpeg = await openCutter();
  say('Looking for key frames…');
  const input = 'file:/in/video';
  const url = new URL(`/v1/videos/${record.id}/media`, location.href).href;
  await ffmpeg.createDir('/in').catch(() => {});
  await ffmpeg.mount('WORKERFS', { blobs: [{ name: 'video', data: { url, size: record.size_bytes } }] }, '/in');
  try {
    const streams = await readStreams(ffmpeg, input);
    const { plan, seekTo } = await makePlan(ffmpeg, input, streams, record, range);
    const length = seconds(plan.end - plan.start, streams.timeBase);
    const verb = plan.cut === 'copy' ? 'Copying' : 'Coding again';
    if (plan.cut === 'encode' && ((CODED_AGAIN * record.size_bytes) / record.duration_s) * length > CLIP_BYTES_MAX)
      throw new Error(
        `It must be coded again, and may then take more than the ${sizeText(CLIP_BYTES_MAX)} that are kept in memory.`,
      );
    say(`${verb}…`);
    const onProgress = ({ time }) => say(`${verb}: ${Math.min(99, Math.floor(time / 1e4 / length))} %`);
    ffmpeg.on('progress', onProgress);
    const status = await ffmpeg.exec(clipArguments(plan, { ...streams, seekTo }, { input, output: 'clip.mp4' }));
    ffmpeg.off('progress', onProgress);
    if (status !== 0) throw new Error('ffmpeg failed on this file.');
    const bytes = await ffmpeg.readFile('clip.mp4');
    await ffmpeg.deleteFile('clip.mp4');
    const first = Math.round(record.first_frame_s / seconds(1, streams.timeBase));
    return {
      bytes,
      cut: plan.cut,
      start: seconds(plan.start - first, streams.timeBase),
      end: seconds(plan.end - first, streams.timeBase),
    };
  } finally {
    await ffmpeg.unmount('/in').catch(() => {});
  }
}

async function openCutter() {
  if (cutter) return cutter;
  const { FFmpeg } = await import('/assets/ffmpeg/index.js');
  const ffmpeg = new FFmpeg();
  cutter = ffmpeg;
  await ffmpeg.load({
    coreURL: '/assets/ffmpeg/core.js',
    wasmURL: '/assets/ffmpeg/core.wasm',
    classWorkerURL: '/page/clip-worker.js',
  });
  return ffmpeg;
}

/** The picture that a player shows (no cover art; the one marked as default, else the first) and the first sound. */
async function readStreams(ffmpeg, input) {
  const shown = 'stream=index,codec_type,codec_name,time_base:stream_disposition=default,attached_pic,timed_thumbnails';
  const text = await probe(ffmpeg, ['-show_entries', shown, '-of', 'json'], input);
  const { streams = [] } = JSON.parse(text || '{}');
  const moving = streams.filter(
    ({ codec_type, disposition }) =>
      codec_type === 'video' && !disposition.attached_pic && !disposition.timed_thumbnails,
  );
  const video = moving.find(({ disposition }) => disposition.default) ?? moving[0];
  const audio = streams.find(({ codec_type }) => codec_type === 'audio');
  if (!video) throw new Error('No picture was found in the file.');
  const [num, den] = video.time_base.split('/').map(Number);
  return {
    timeBase: { num, den },
    video: { index: video.index, codec: video.codec_name },
    ...(audio ? { audio: { index: audio.index, codec: audio.codec_name } } : {}),
  };
}

async function makePlan(ffmpeg, input, { timeBase, video }, record, range) {
  const first = Math.round(record.first_frame_s / seconds(1, timeBase));
  const ticks = clipTicks(range, first, timeBase, record.duration_s);
  const options = {
    cut: 'auto',
    copyable: COPIED_VIDEO.includes(video.codec),
    timeBase,
    endOfVideo: first + Math.round(record.duration_s / seconds(1, timeBase)),
  };
  const wanted = seconds(ticks.start, timeBase);
  const until = ticks.end === undefined ? '' : (seconds(ticks.end, timeBase) + READ_AHEAD).toFixed(6);
  const places = RUN_UPS.map((runUp) => wanted - runUp).filter((place) => place > record.first_frame_s);
  for (const seekTo of [...places, undefined]) {
    const interval = `${seekTo === undefined ? '' : seekTo.toFixed(6)}%${until}`;
    const list = [...(interval === '%' ? [] : ['-read_intervals', interval]), '-select_streams', String(video.index)];
    const plan = planClip(readClipPackets(await probe(ffmpeg, [...list, ...PACKET_LIST], input)), ticks, options);
    if (plan) return { plan, seekTo };
  }
  throw new Error(`No frame was found at ${clock(range.start)}.`);
}

async function probe(ffmpeg, args, input) {
  await ffmpeg.ffprobe(['-loglevel', 'error', ...args, '-o', 'list.txt', '-i', input]);
  const text = await ffmpeg.readFile('list.txt', 'utf8');
  await ffmpeg.deleteFile('list.txt');
  return text;
}

function offer(record, { bytes, cut: how, start, end }) {
  if (link) URL.revokeObjectURL(link.href);
  const name = `${record.title} ${clock(start)}-${clock(end)}.mp4`.replaceAll(':', '.').replace(/[\\/*?"<>|]/g, '_');
  const href = URL.createObjectURL(new Blob([bytes], { type: 'video/mp4' }));
  link = make('a', { href, download: name }, `Save ${name}`);
  const done = how === 'copy' ? 'the stored frames, copied' : 'coded again, exact to the frame';
  say(`${clock(start)} – ${clock(end)}, ${done}, ${sizeText(bytes.length)}. Cut in this browser.`, link);
}

function serverLink(record, start, end) {
  const query = new URLSearchParams({ from: start.toFixed(3), to: end.toFixed(3) });
  return make('a', { href: `/v1/videos/${record.id}/clip?${query}`, download: '' }, 'Let the server cut it');
}

function say(text, ...links) {
  byId('clip-note').textContent = text;
  byId('clip-links').replaceChildren(...links);
}

function seconds(ticks, { num, den }) {
  return (ticks * num) / den;
}
