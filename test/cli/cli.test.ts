import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { FILM } from '../../fixtures/real/clips.js';
import { longwatch } from './run.js';

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-cli-'));
const library = path.join(folder, 'library');
const film = path.join(folder, 'Big Buck Bunny.mp4');
const VIDEO_ID = '521a78e22a40';

const run = (...args: string[]) => longwatch([...args, '--library', library]);

beforeAll(async () => {
  copyFileSync(FILM, film);
  copyFileSync('src/demo/big-buck-bunny.en.vtt', path.join(folder, 'Big Buck Bunny.en.vtt'));
  const { exit, stdout } = await run('ingest', film);
  expect(stdout).toMatch(new RegExp(`^${VIDEO_ID}  0:00:30\\.000  Big Buck Bunny, \\d+\\.\\dx realtime\n$`));
  expect(exit).toBe(0);
});

describe('longwatch ingest', () => {
  it('says that a video is already there and does nothing twice', async () => {
    const { exit, stdout } = await run('ingest', film);
    expect([exit, stdout]).toEqual([0, `${VIDEO_ID}  0:00:30.000  Big Buck Bunny, already there\n`]);
  });

  it('names each input that failed, ingests the others, and exits with 3', async () => {
    const broken = path.join(folder, 'broken.mp4');
    writeFileSync(broken, 'this is no film');
    const { exit, stdout, stderr } = await run('ingest', film, broken, '--json');
    expect(exit).toBe(3);
    expect(JSON.parse(stdout).videos).toMatchObject([
      { path: film, outcome: 'already', video: { id: VIDEO_ID, state: 'ready' } },
      { path: broken, outcome: 'failed', error: { code: 'invalid_media', status: 422 } },
    ]);
    expect(stderr).toContain('broken.mp4 was not ingested');
  });

  it('exits with 1 when nothing worked and says what to do', async () => {
    const { exit, stderr } = await run('ingest', path.join(folder, 'missing.mp4'));
    expect(exit).toBe(1);
    expect(stderr).toContain('[file_not_found]');
  });
});

describe('longwatch search', () => {
  it('answers with the time at which it happens', async () => {
    const { exit, stdout } = await run('search', 'a nut hits the bird', '--json');
    const answer = JSON.parse(stdout);
    expect(exit).toBe(0);
    expect(answer.results[0]).toMatchObject({
      video_id: VIDEO_ID,
      start_s: 20.417,
      end_s: 20.917,
      kind: 'subtitle',
      precision_s: 0.08,
    });
    expect(answer.no_match).toBe(false);
  });

  it('prints times with their hours', async () => {
    const { stdout } = await run('search', 'a nut hits the bird', '--limit', '1');
    expect(stdout.split('\n')[0]).toBe(
      '0:00:20.417 – 0:00:20.917  A nut hits the bird on the head and knocks it off the branch.',
    );
  });

  it('says "no match" and exits with 4 when the library does not show it', async () => {
    const { exit, stdout } = await run('search', 'stock market crash');
    expect([exit, stdout]).toEqual([4, 'No match.\n']);
  });

  it('stays inside the asked range of time', async () => {
    const { stdout } = await run('search', 'the bird', '--from', '0:18', '--to', '19.8', '--json');
    const results: { start_s: number; end_s: number }[] = JSON.parse(stdout).results;
    expect(results.length).toBeGreaterThan(0);
    for (const { start_s, end_s } of results) expect(start_s < 19.8 && end_s > 18).toBe(true);
  });

  it.each([
    [['--from', 'noon'], 'bad_time'],
    [['--from', '5', '--to', '3'], 'bad_range'],
    [['--limit', '0'], 'invalid_input'],
  ])('refuses %j as a usage error', async (args, code) => {
    const { exit, stderr } = await run('search', 'bird', ...args);
    expect(exit).toBe(2);
    expect(stderr).toContain(`[${code}]`);
  });
});

describe('longwatch events', () => {
  it('lists the cuts of the film at the first frame of each new shot', async () => {
    const { stdout } = await run('events', VIDEO_ID.slice(0, 5), '--kind', 'cut', '--json');
    const { events } = JSON.parse(stdout);
    expect(events.map((event: { start_s: number }) => event.start_s)).toEqual([11.875, 15.75, 23.042]);
    expect(events[0]).toMatchObject({
      id: `${VIDEO_ID}-0-${events[0].id.split('-')[2]}`,
      source: 'signal',
      precision_s: 0.042,
    });
  });
});

describe('longwatch clip', () => {
  it('writes the stretch as an MP4 and says which times it covers and how it was cut', async () => {
    const output = path.join(folder, 'clip.mp4');
    const { exit, stdout, stderr } = await run('clip', film, '--from', '20.417', '--to', '20.917', '-o', output);
    expect([exit, stdout]).toEqual([0, `${output}\n`]);
    expect(stderr).toBe('0:00:20.417 – 0:00:20.917, coded again\n');
    expect(readFileSync(output).toString('latin1', 4, 8)).toBe('ftyp');
  });

  it('refuses a stretch behind the end, and a file that is no MP4', async () => {
    const late = await run('clip', film, '--from', '31', '--to', '32', '-o', path.join(folder, 'late.mp4'));
    expect([late.exit, late.stderr.includes('[bad_range]')]).toEqual([2, true]);
    const other = await run('clip', film, '--from', '1', '--to', '2', '-o', path.join(folder, 'clip.avi'));
    expect([other.exit, other.stderr.includes('[invalid_input]')]).toEqual([2, true]);
  });
});

describe('longwatch export', () => {
  it('writes the description beside the film back as it was', async () => {
    const { stdout, stderr } = await run('export', film, '--format', 'srt', '--layer', 'subtitles');
    expect(stderr).toBe(
      '7 of 11 cues are faster to read than 20 characters a second (the fastest, 122.0, at 0:00:20.417).\n',
    );
    expect(stdout).toContain(
      '8\r\n00:00:20,417 --> 00:00:20,917\r\nA nut hits the bird on the head\r\nand knocks it off the branch.\r\n',
    );
  });

  it('writes a file whole or not at all', async () => {
    const target = path.join(folder, 'film.vtt');
    expect((await run('export', VIDEO_ID, '--format', 'vtt', '-o', target)).exit).toBe(0);
    expect(readFileSync(target, 'utf8').startsWith('WEBVTT\n')).toBe(true);
    const { exit } = await run(
      'export',
      VIDEO_ID,
      '--format',
      'vtt',
      '-o',
      path.join(folder, 'no such folder', 'film.vtt'),
    );
    expect(exit).toBe(1);
  });

  it('is the same document however often the film is ingested', async () => {
    const first = await run('export', VIDEO_ID, '--format', 'json');
    await run('ingest', film, '--force');
    const second = await run('export', VIDEO_ID, '--format', 'json');
    expect(second.stdout).toBe(first.stdout);
    expect(JSON.parse(first.stdout)).toMatchObject({
      schema_version: 1,
      coverage: [[0, 30]],
    });
  });
});

describe('longwatch list, show, frame, check and remove', () => {
  it('list and show what is there', async () => {
    expect((await run('list')).stdout).toBe(`${VIDEO_ID}  0:00:30.000  ready  Big Buck Bunny\n`);
    const { segments, ...video } = JSON.parse((await run('show', VIDEO_ID, '--plan', '--json')).stdout);
    expect(video).toMatchObject({
      id: VIDEO_ID,
      duration_s: 30,
      width: 854,
      height: 480,
      fps: { nominal: 24, variable: false },
    });
    for (const { start_s, end_s, frames } of segments) {
      expect(frames.length % 2).toBe(0);
      for (const time of frames) expect(time >= start_s && time < end_s).toBe(true);
    }
  });

  it('write the frame that is on screen at a time', async () => {
    const picture = path.join(folder, 'cut.jpg');
    const { stdout } = await run('frame', VIDEO_ID, '--at', '11.9', '-o', picture, '--json');
    expect(JSON.parse(stdout)).toMatchObject({ time_s: 11.875 });
    expect(readFileSync(picture).subarray(0, 3)).toEqual(Buffer.from([0xff, 0xd8, 0xff]));
  });

  it('find the library whole', async () => {
    const { exit, stdout } = await run('check');
    expect([exit, stdout]).toEqual([
      0,
      `ok  database      in order
ok  references    in order
ok  full text     in order
ok  counts        in order
ok  windows       in order
ok  events        in order
ok  embeddings    in order
ok  vector index  no index file for minilm-l6-v2-fp16; search is exact
`,
    ]);
  });

  it('forget a video, and nothing when one of the names is wrong', async () => {
    const other = path.join(folder, 'other');
    mkdirSync(other);
    const inOther = (...args: string[]) => longwatch([...args, '--library', path.join(other, 'library')]);
    await inOther('ingest', film);
    expect((await inOther('remove', VIDEO_ID, 'ffffffffffff')).exit).toBe(1);
    expect((await inOther('list')).stdout).toContain(VIDEO_ID);
    expect((await inOther('remove', VIDEO_ID)).exit).toBe(0);
    expect((await inOther('list')).stdout).toBe('');
    expect((await inOther('search', 'bird')).exit).toBe(4);
  });
});

describe('the command line', () => {
  it.each(['search', 'list', 'check'])('says that there is no library before it makes one: %s', async (name) => {
    const missing = path.join(folder, 'nowhere');
    const { exit, stderr } = await longwatch([name, ...(name === 'search' ? ['x'] : []), '--library', missing]);
    expect([exit, stderr.includes('[library_not_found]')]).toEqual([1, true]);
  });

  it('exits with 2 on a verb or an option that it does not have', async () => {
    expect((await run('serch', 'bird')).exit).toBe(2);
    expect((await run('list', '--verbose')).exit).toBe(2);
    expect((await run('export', VIDEO_ID, '--format', 'docx')).exit).toBe(2);
    expect((await run('migrate', 'from', 'to')).stderr).toContain("unknown option '--library'");
  });

  it('has help for every verb and a version', async () => {
    const { exit, stdout } = await longwatch(['--help']);
    expect(exit).toBe(0);
    for (const verb of [
      'demo',
      'ingest',
      'search',
      'list',
      'show',
      'events',
      'export',
      'frame',
      'remove',
      'serve',
      'doctor',
      'check',
      'bench',
    ]) {
      expect(stdout).toMatch(new RegExp(`^  ${verb}\\b`, 'm'));
    }
    expect((await longwatch(['--version'])).stdout).toBe(
      `${JSON.parse(readFileSync('package.json', 'utf8')).version}\n`,
    );
  });

  it('doctor tries every part and names the ones in use', async () => {
    const { exit, stdout } = await run('doctor', '--json');
    const parts: { name: string; state: string }[] = JSON.parse(stdout).parts;
    expect(exit).toBe(0);
    expect(parts.filter(({ name, state }) => name.startsWith('decoder') && state === 'ok')).toHaveLength(1);
    expect(parts.find(({ name }) => name === 'search by meaning')?.state).toBe('ok');
  });

  it('leaves quietly when its reader has seen enough', async () => {
    const { exit } = await longwatch(['events', VIDEO_ID, '--library', library], {
      onStart: (child) => child.stdout?.destroy(),
    });
    expect(exit).toBe(0);
  });
});

describe('longwatch bench', () => {
  it('says how fast the film was read, part by part, and searched, and on which machine', async () => {
    const { exit, stdout } = await longwatch(['bench', '--profile', 'fast', '--json']);
    expect(exit).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      machine: { decoder: expect.stringMatching(/^ffmpeg /), processors: expect.stringMatching(/^\d+ x \S/) },
      video: { title: 'Big Buck Bunny', duration_s: 30, width: 854, height: 480 },
      parts: [{ name: 'windows' }, { name: 'sound' }],
      search: { count: 50, p50_ms: expect.any(Number) },
      peak_memory_bytes: expect.any(Number),
    });
  });
});

describe('longwatch demo', () => {
  it('reads a real film and answers with its times', async () => {
    const { exit, stdout } = await longwatch(['demo', '--part', 'film', '--json']);
    const { answers, video } = JSON.parse(stdout);
    expect(exit).toBe(0);
    expect(video).toMatchObject({ title: 'Big Buck Bunny', state: 'ready' });
    expect(answers[0].results[0]).toMatchObject({ start_s: 20.417 });
    expect(answers.at(-1)).toMatchObject({ no_match: true, results: [] });
  });
});
