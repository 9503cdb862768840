import { describe, expect, it } from 'vitest';
import { hitJson } from '../../api/schema/search.js';
import type { SearchHit } from '../../index/search/types.js';

const HIT: SearchHit = {
  videoId: 'v',
  path: '/films/v.mp4',
  title: 'v',
  start: 1,
  end: 2,
  score: 0.51234,
  kind: 'speech',
  source: 'speech',
  text: 'A rabbit.',
  why: ['speech'],
  precision: 0.1,
  eventIds: ['v-0-0'],
};

describe('a hit as JSON', () => {
  it('has a confidence beside its score only where one is known, in hundredths', () => {
    expect(hitJson({ ...HIT, confidence: 0.41876 }, undefined)).toMatchObject({ score: 0.5123, confidence: 0.42 });
    expect(hitJson(HIT, undefined)).not.toHaveProperty('confidence');
  });
});
