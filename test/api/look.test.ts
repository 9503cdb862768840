import { describe, expect, it } from 'vitest';
import { lookJson } from '../../api/schema/look.js';
import type { LookRequest } from '../../src/look-request.js';
import { openHarness, VIDEO_ID } from './harness.js';

describe('what the model saw, as JSON', () => {
  it('has times in whole milliseconds with their unit in the name, at any depth', () => {
    const { result } = lookJson('v', {
      look: 'caption',
      model: 'm',
      result: { caption: 'a bird', scenes: [{ start: 1.00049, end: 2, precision: 0.5, text: 'start' }] },
    });
    expect(result).toEqual({
      caption: 'a bird',
      scenes: [{ start_s: 1.001, end_s: 2, precision_s: 0.5, text: 'start' }],
    });
  });

  it('keeps the names of a form as its schema gave them', () => {
    const form = { start: 1900, end: 1950, notes: [{ precision: 0.12345 }] };
    expect(lookJson('v', { look: 'form', model: 'm', result: form }).result).toEqual(form);
  });
});

describe('POST /v1/videos/{id}/look', () => {
  it('hands the question to the model, in the words of the program', async () => {
    const asked: LookRequest[] = [];
    const house = openHarness({
      look: async (_video, request) => {
        asked.push(request);
        return { look: request.look, model: 'tiny', result: [{ start: 1, end: 2, precision: 0.5, score: 0.75 }] };
      },
    });
    house.addVideo();
    const body = { look: 'ground', words: 'a bird', range: { start_s: 1, end_s: 9 } };
    expect(await house.send('POST', `/v1/videos/${VIDEO_ID}/look`, body)).toMatchObject({
      status: 200,
      body: {
        video_id: VIDEO_ID,
        look: 'ground',
        model: 'tiny',
        result: [{ start_s: 1, end_s: 2, precision_s: 0.5, score: 0.75 }],
      },
    });
    await house.send('POST', `/v1/videos/${VIDEO_ID}/look`, { look: 'boxes', words: 'a bird', at_s: 3.5 });
    expect(asked).toEqual([
      { look: 'ground', words: 'a bird', range: { start: 1, end: 9 } },
      { look: 'boxes', words: 'a bird', at: 3.5 },
    ]);
    await house.close();
  });

  it.each([
    [{ look: 'sing' }, 422, '/look'],
    [{ look: 'caption', range: { start_s: 5, end_s: 5 } }, 422, '/range/end_s'],
    [{ look: 'caption', words: '' }, 422, '/words'],
  ])('refuses %j', async (body, status, pointer) => {
    const house = openHarness({ look: async () => ({ look: 'caption', model: 'm', result: null }) });
    house.addVideo();
    expect(await house.send('POST', `/v1/videos/${VIDEO_ID}/look`, body)).toMatchObject({ status, body: { pointer } });
    await house.close();
  });

  it('says how to get a model where there is none', async () => {
    const house = openHarness();
    house.addVideo();
    expect(await house.send('POST', `/v1/videos/${VIDEO_ID}/look`, { look: 'caption' })).toMatchObject({
      status: 501,
      body: { code: 'part_missing', hint: expect.stringContaining('models add') },
    });
    await house.close();
  });
});
