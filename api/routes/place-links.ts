/** Addresses of a place in a video, for whoever asks over HTTP. */

import type { SearchHit } from '../../index/search/types.js';
import type { Citation } from '../../src/ask.js';
import { roundToMilliseconds } from '../../src/time.js';
import type { PlaceLinks } from '../schema/ask.js';
import type { HitLinks } from '../schema/search.js';
import { clipUrl, frameUrl, mediaUrl } from './video-id.js';

export const placeLinks: PlaceLinks = {
  frameUrl: (place: Citation) => frameUrl(place.videoId, roundToMilliseconds(place.start)),
  mediaUrl: (place: Citation) => mediaUrl(place.videoId),
};

export const hitLinks: HitLinks = {
  frameUrl: (hit: SearchHit) => frameUrl(hit.videoId, roundToMilliseconds(hit.start)),
  mediaUrl: (hit: SearchHit) => mediaUrl(hit.videoId),
  clipUrl: ({ videoId, start, end }: SearchHit) =>
    clipUrl(videoId, roundToMilliseconds(start), roundToMilliseconds(end)),
};
