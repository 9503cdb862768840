/**
 * How far a video of the library is. `ready`: every window is written. `partial`: ready, but some ranges could not be decoded. `failed`:
 * the video says why. `missing`: its file is nowhere to be found; what was learnt is kept.
 */
export const VIDEO_STATES = ['queued', 'ingesting', 'ready', 'partial', 'failed', 'missing'] as const;
export type VideoState = (typeof VIDEO_STATES)[number];
