import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readProbe } from '../../../ingest/video/probe.js';
import { LongwatchError } from '../../../src/errors.js';

const FILE = { path: 'film.mp4', sizeBytes: 1000 };
const SILENT = { lines: [], lineCount: 0 };
const VIDEO = { index: 0, codec_type: 'video', codec_name: 'h264', width: 640, height: 360, time_base: '1/12800' };

function read(streams: readonly object[], format: object = {}, undecodable: ReadonlySet<string> = new Set()) {
  const json = JSON.stringify({
    streams,
    format: { format_name: 'mov,mp4,m4a,3gp,3g2,mj2', probe_score: 100, ...format },
  });
  return readProbe(json, SILENT, FILE, undecodable);
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return error instanceof LongwatchError ? error.code : String(error);
  }
  return 'none';
}

describe('a probe', () => {
  it.each([
    ['4:3 pixels widen the picture', { width: 720, height: 576, sample_aspect_ratio: '16:11' }, 1047, 576],
    ['tall pixels heighten it', { width: 720, height: 480, sample_aspect_ratio: '8:9' }, 720, 540],
    ['an unknown aspect is square', { sample_aspect_ratio: '0:1' }, 640, 360],
    ['an absurd aspect is square', { sample_aspect_ratio: '1:4000' }, 640, 360],
    [
      'a quarter turn swaps the sides',
      { side_data_list: [{ side_data_type: 'Display Matrix', rotation: -90 }] },
      360,
      640,
    ],
    ['a half turn does not', { side_data_list: [{ side_data_type: 'Display Matrix', rotation: 180 }] }, 640, 360],
  ])('knows the displayed size: %s', (_what, fields, width, height) => {
    const { video } = read([{ ...VIDEO, ...fields }]);
    expect({ width: video.width, height: video.height }).toEqual({ width, height });
  });

  it.each([
    [-90, 90],
    [90, 270],
    [180, 180],
    [-180, 180],
    [-270, 270],
    [0, 0],
    [-30, 0],
  ])("turns ffprobe's %d degrees into %d clockwise", (rotation, clockwise) => {
    expect(read([{ ...VIDEO, side_data_list: [{ side_data_type: 'Display Matrix', rotation }] }]).video.rotation).toBe(
      clockwise,
    );
  });

  it('takes the default stream and no cover', () => {
    const cover = { ...VIDEO, index: 0, codec_name: 'png', disposition: { attached_pic: 1, default: 1 } };
    const other = { ...VIDEO, index: 1 };
    const main = { ...VIDEO, index: 2, disposition: { default: 1 } };
    expect(read([cover, other, main]).video.index).toBe(2);
    expect(read([cover, other]).video.index).toBe(1);
    expect(codeOf(() => read([cover]))).toBe('no_video');
  });

  it('refuses what cannot be decoded, with the code that says why', () => {
    expect(codeOf(() => read([{ ...VIDEO, width: 15_360, height: 8640 }]))).toBe('too_large');
    expect(codeOf(() => read([{ ...VIDEO, codec_name: 'av1' }], {}, new Set(['av1'])))).toBe('unsupported_codec');
    expect(codeOf(() => read([{ ...VIDEO, codec_name: undefined }]))).toBe('unsupported_codec');
    expect(codeOf(() => read([{ ...VIDEO, width: 0 }]))).toBe('invalid_media');
    expect(codeOf(() => read([{ ...VIDEO, time_base: '0/0' }]))).toBe('invalid_media');
    expect(codeOf(() => read([{ codec_type: 'audio' }]))).toBe('no_video');
    expect(codeOf(() => read([VIDEO], { probe_score: 1 }))).toBe('invalid_media');
  });

  it('believes the stream before the container, and neither when they claim nothing', () => {
    expect(read([{ ...VIDEO, duration: '2.5' }], { duration: '3' }).claimedDuration).toBe(2.5);
    expect(read([VIDEO], { duration: '3' }).claimedDuration).toBe(3);
    expect(read([{ ...VIDEO, duration: 'N/A' }]).claimedDuration).toBeUndefined();
  });

  it('takes off what lies before the first frame where the length is noted from the clock on', () => {
    const late = { ...VIDEO, start_time: '100.000000', tags: { DURATION: '00:01:52.167000000' } };
    const lavf = { duration: '112.167000', tags: { ENCODER: 'Lavf59.27.100' } };
    expect(read([late], lavf).claimedDuration).toBeCloseTo(12.167, 9);
    expect(read([late], { ...lavf, tags: { encoder: 'libebml v1.4.4 + libmatroska v1.7.1' } }).claimedDuration).toBe(
      112.167,
    );
    const merged = { ...late, tags: { ...late.tags, '_STATISTICS_WRITING_APP-eng': 'mkvmerge v74' } };
    expect(read([merged], lavf).claimedDuration).toBe(112.167);
    expect(read([{ ...late, tags: {} }], lavf).claimedDuration).toBe(112.167);
  });

  it('cleans tags: no control characters, at most 1,000 characters, none about the muxer', () => {
    const { tags } = read([VIDEO], {
      tags: { Title: 'a\u0000\u001b[31mb', comment: 'x'.repeat(5000), encoder: 'Lavf', __proto__x: 'y' },
    });
    expect(tags['title']).toBe('a [31mb');
    expect(tags['comment']?.length).toBe(1000);
    expect(tags['encoder']).toBeUndefined();
  });

  it('tells text subtitles from pictures', () => {
    const subtitles = ['subrip', 'ass', 'mov_text', 'hdmv_pgs_subtitle', 'dvd_subtitle'].map((codec_name, index) => ({
      index: index + 1,
      codec_type: 'subtitle',
      codec_name,
    }));
    expect(read([VIDEO, ...subtitles]).subtitles.map(({ textual }) => textual)).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
  });

  it('ends in an error of ours, whatever the text is', () => {
    const known = fc.constantFrom(
      'streams',
      'format',
      'codec_type',
      'video',
      'tags',
      'width',
      'disposition',
      'side_data_list',
      'chapters',
    );
    const json = fc.oneof(
      fc.string(),
      fc.json(),
      fc.object({ key: fc.oneof(known, fc.string()), maxDepth: 5 }).map((value) => JSON.stringify(value)),
    );
    fc.assert(fc.property(json, (text) => codeOf(() => readProbe(text, SILENT, FILE, new Set())).length > 0));
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(known, fc.constant('rotation')), fc.anything()), (fields) => {
        const code = codeOf(() => read([{ ...VIDEO, ...fields, codec_type: 'video' }]));
        expect(code).toMatch(/^(none|no_video|too_large|invalid_media|unsupported_codec)$/);
      }),
    );
  });
});
