import { describe, expect, it } from 'vitest';
import { VideoSummaries } from '../../src/video-summary.js';
import { ScriptedBackend } from '../src/tasks/scripted-backend.js';
import { event, openHarness, VIDEO_ID } from './harness.js';

const SUMMARY = `/v1/videos/${VIDEO_ID}/summary`;

describe('GET /v1/videos/{id}/summary', () => {
  it('gives the sentences of the model with their times, and keeps them', async () => {
    const backend = new ScriptedBackend(() => '{"sentences":[{"first":1,"last":2,"text":"A rabbit wakes up."}]}');
    const house = openHarness({ summary: (...args) => summaries.summary(...args) });
    const summaries = new VideoSummaries(house.library, backend);
    house.addVideo([event('caption', [0, 4.0004], 'A rabbit.'), event('subtitle', [5, 7], 'Hello')]);
    const said = {
      video_id: VIDEO_ID,
      model: 'scripted',
      sentences: [{ start_s: 0, end_s: 7, precision_s: 0.04, text: 'A rabbit wakes up.' }],
      texts: 2,
    };
    expect(await house.get(SUMMARY)).toMatchObject({ status: 200, body: { ...said, cached: false } });
    expect(await house.get(SUMMARY)).toMatchObject({ status: 200, body: { ...said, cached: true } });
    expect(await house.get(`${SUMMARY}?from=0:04.5&to=0:10`)).toMatchObject({ body: { texts: 1 } });
    expect(backend.requests).toHaveLength(2);
    expect(await house.get(`${SUMMARY}?from=8`)).toMatchObject({
      status: 200,
      body: { sentences: [], texts: 0, note: expect.stringContaining('Nothing has been read') },
    });
    await house.close();
  });

  it.each([
    [`${SUMMARY}?from=9&to=3`, 422, 'bad_range'],
    [`${SUMMARY}?from=noon`, 422, 'bad_time'],
    ['/v1/videos/0123456789ab/summary', 404, 'not_found'],
    [SUMMARY, 501, 'part_missing'],
  ])('of %s is a problem', async (address, status, code) => {
    const house = openHarness();
    house.addVideo();
    const answer = await house.get(address);
    expect(answer).toMatchObject({ status, body: { code } });
    expect(answer.headers.get('content-type')).toBe('application/problem+json');
    await house.close();
  });
});
