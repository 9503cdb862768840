import { describe, expect, it } from 'vitest';
import type { Picture } from '../../../ingest/video/frame.js';
import type { PromptPart } from '../../../src/backend.js';
import { messageContent, timeMark } from '../../../src/remote/frames.js';
import { encodePng } from '../../../src/remote/png.js';
import { randomFrom } from '../../index/support.js';

function picture(time: number, shade = 0): Picture {
  const rgb = new Uint8Array(28 * 28 * 3).fill(shade);
  return { kind: 'picture', index: 0, pts: Math.round(time * 1000), time, width: 28, height: 28, rgb };
}

function video(times: readonly number[], timeZero = 0): PromptPart {
  return { kind: 'video', pictures: times.map((time, i) => picture(time, i)), timeZero };
}

const every = (step: number, count: number, from = 0) => Array.from({ length: count }, (_, i) => from + i * step);

async function png(shade: number): Promise<string> {
  return (await encodePng(picture(0, shade))).toString('base64');
}

describe('frames as images', () => {
  it('stand each behind its time from the second that the words call zero', async () => {
    const content = await messageContent(
      [video([60, 72.04], 60), { kind: 'text', text: 'What happens?' }],
      'images',
      'png',
    );
    expect(content).toEqual({
      parts: [
        { type: 'text', text: '<0.0 s>' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${await png(0)}` } },
        { type: 'text', text: '<12.0 s>' },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${await png(1)}` } },
        { type: 'text', text: 'What happens?' },
      ],
      fields: {},
    });
  });

  it('have no time when they are stills', async () => {
    const { parts } = await messageContent([{ kind: 'image', picture: picture(5) }], 'video', 'png');
    expect(parts.map(({ type }) => type)).toEqual(['image_url']);
  });
});

describe('frames as a video', () => {
  it('are one list of pictures with their rate beside it', async () => {
    const content = await messageContent([video(every(0.5, 4, 60), 60)], 'video', 'png');
    const frames = await Promise.all([0, 1, 2, 3].map(png));
    expect(content.parts).toEqual([
      { type: 'video_url', video_url: { url: `data:video/jpeg;base64,${frames.join(',')}` } },
    ]);
    expect(content.fields).toEqual({
      mm_processor_kwargs: { fps: 2, do_sample_frames: false },
      media_io_kwargs: { video: { fps: 2, num_frames: -1, frames_indices: [0, 1, 2, 3] } },
    });
  });

  it('say when they begin unless that is second zero', async () => {
    const { parts } = await messageContent([video(every(0.5, 4, 65), 60)], 'video', 'png');
    expect(parts[0]).toEqual({ type: 'text', text: '<5.0 s>' });
  });

  it.each([
    [2, [2]],
    [32, [32]],
    [34, [18, 16]],
    [64, [32, 32]],
    [66, [22, 22, 22]],
  ])('that are %i are cut into runs of %j, each with its time', async (count, lengths) => {
    const { parts, fields } = await messageContent([video(every(1, count))], 'video', 'png');
    const runs = parts
      .filter((part) => part.type === 'video_url')
      .map((part) => part.video_url.url.split(',').length - 1);
    expect(runs).toEqual(lengths);
    const starts = lengths.map((_, i) => lengths.slice(0, i).reduce((sum, length) => sum + length, 0));
    expect(parts.filter((part) => part.type === 'text').map(({ text }) => text)).toEqual(starts.slice(1).map(timeMark));
    const { video: reading } = fields['media_io_kwargs'] as { video: Record<string, unknown> };
    expect('frames_indices' in reading).toBe(new Set(lengths).size === 1);
  });

  it.each([
    ['unevenly spaced', [video([0, 0.5, 1, 4])]],
    ['all at one time', [video([3, 3])]],
    ['of two rates', [video(every(0.5, 4)), video(every(1, 4))]],
  ])('that are %s are sent as images', async (_, parts) => {
    const content = await messageContent(parts, 'video', 'png');
    expect(content.parts.some(({ type }) => type === 'video_url')).toBe(false);
    expect(content.fields).toEqual({});
  });

  it('may be as uneven as real timestamps are', async () => {
    const { parts } = await messageContent([video([0, 0.501, 1.001, 1.502])], 'video', 'png');
    expect(parts.map(({ type }) => type)).toEqual(['video_url']);
  });
});

describe('the time of a frame', () => {
  it.each([
    [0, '<0.0 s>'],
    [12, '<12.0 s>'],
    [3599.96, '<3600.0 s>'],
    [0.25, '<0.3 s>'],
    [-0.01, '<0.0 s>'],
  ])('%d is written %s', (time, text) => {
    expect(timeMark(time)).toBe(text);
  });
});

describe('the pictures of a video', () => {
  const shades = (at: (i: number) => number): Picture => ({
    ...picture(0),
    width: 112,
    height: 112,
    rgb: Uint8Array.from({ length: 112 * 112 * 3 }, (_, i) => at(i)),
  });
  const random = randomFrom(5);
  // Light that falls off softly, with the grain of film.
  const film = shades((i) => 60 + 100 * Math.sin(i / 9000) ** 2 + 24 * random());
  const screen = shades((i) => (Math.floor(i / 3 / 112) % 16 === 0 ? 0 : 255));
  const urlOf = async (part: PromptPart, form: 'smallest' | 'png') => {
    const { parts } = await messageContent([part], 'images', form);
    const shown = parts.find((one) => one.type === 'image_url');
    return shown?.image_url.url ?? '';
  };

  it('are JPEG where that is smaller', async () => {
    const [jpeg, png] = await Promise.all(
      (['smallest', 'png'] as const).map((form) => urlOf({ kind: 'video', pictures: [film, film], timeZero: 0 }, form)),
    );
    expect(jpeg).toMatch(/^data:image\/jpeg;base64,\/9j\//);
    expect(png).toMatch(/^data:image\/png;base64,iVBOR/);
    expect(jpeg?.length).toBeLessThan((png?.length ?? 0) / 3);
  });

  it('are PNG where that is smaller, and stills always are', async () => {
    expect(await urlOf({ kind: 'video', pictures: [screen, screen], timeZero: 0 }, 'smallest')).toMatch(
      /^data:image\/png/,
    );
    expect(await urlOf({ kind: 'image', picture: film }, 'smallest')).toMatch(/^data:image\/png/);
  });

  it('say themselves what they are in a list', async () => {
    const pictures = [film, screen, film, screen].map((one, i) => ({ ...one, time: i }));
    const { parts } = await messageContent([{ kind: 'video', pictures, timeZero: 0 }], 'video', 'smallest');
    const url = parts[0]?.type === 'video_url' ? parts[0].video_url.url : '';
    const beginnings = url
      .replace('data:video/jpeg;base64,', '')
      .split(',')
      .map((one) => one.slice(0, 4));
    expect(beginnings).toEqual(['/9j/', 'iVBO', '/9j/', 'iVBO']);
  });
});
