/** What others read out of an export: parsers that know nothing of Longwatch, a schema validator, and ffmpeg with the containers it writes. */

import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { parse as parseCsv } from 'csv-parse/sync';
import SrtParser from 'srt-parser-2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebVTTParser } from 'webvtt-parser';
import { exportJsonSchema } from '../../api/export/document.js';
import { EXPORT_FORMATS, type ExportFormatName } from '../../api/export/formats.js';
import { LAYERS, type Layer } from '../../api/export/layer.js';
import type { VideoRecord } from '../../index/store/records.js';
import { event, type Harness, openHarness } from './harness.js';

const ffmpegIsThere = spawnSync('ffmpeg', ['-version']).status === 0 && spawnSync('ffprobe', ['-version']).status === 0;

const FAMILY = '\u{1f469}\u200d\u{1f469}\u200d\u{1f467}';
/** What is said, and what a subtitle file shows of it: SubRip first, then WebVTT where it may say more. */
const SAID: readonly (readonly [text: string, srt: string, vtt?: string])[] = [
  ['-->', '→', '-->'],
  ['<b>bold</b>', '‹b›bold‹/b›', '<b>bold</b>'],
  ['{\\an8} up', '{ \\an8} up', '{\\an8} up'],
  ['Tom & Jerry: 1 < 2 > 0 &lt;', 'Tom & Jerry: 1 < 2 > 0 &lt;'],
  ['=SUM(A1), "quoted"', '=SUM(A1), "quoted"'],
  ['+1', '+1'],
  ['שלום, עולם!', 'שלום, עולם!'],
  [
    '日本語の字幕は一行に二十一文字まで入りますが、それより長い文は次の行へ送られます。',
    '日本語の字幕は一行に二十一文字まで入ります\nが、それより長い文は次の行へ送られます。',
  ],
  [`${FAMILY} of three`, `${FAMILY} of three`],
  ['x'.repeat(1000), [...Array<string>(23).fill('x'.repeat(42)), 'x'.repeat(34)].join('\n')],
  ['one\r\ntwo', 'one\ntwo'],
  ['1\n\n2\n00:00:01,000 --> 00:00:02,000', '1 2 00:00:01,000 → 00:00:02,000', '1 2 00:00:01,000 --> 00:00:02,000'],
  ['zero\u200bwidth', 'zerowidth'],
  ['WEBVTT', 'WEBVTT'],
  ['NOTE this', 'NOTE this'],
];
/** Nothing of these is seen, so no cue is made of them. */
const UNSEEN = ['\u200b', ' \u2060\ufeff'];
/** Each stands for a second and a half, half a second apart, at times that do not fall on whole milliseconds. */
const spanOf = (index: number): [number, number] => [index * 2 + 0.0004, index * 2 + 1.5];
const SPANS_MS = SAID.map((_, index) => [index * 2000 + 1, index * 2000 + 1500]);

let harness: Harness;
let video: VideoRecord;
beforeAll(() => {
  harness = openHarness();
  const said = SAID.map(([text], index) => event('subtitle', spanOf(index), text));
  const unseen = UNSEEN.map((text) => event('subtitle', [40, 41], text));
  video = harness.addVideo(
    [
      ...said,
      ...unseen,
      event('caption', [0, 4.2], 'A = b; #1 \\ "x"'),
      event('caption', [4.2, 20.0004], `Schluß 日本 ${FAMILY}. More.`),
      event('activity', [3, 4], 'She looks up.'),
      event('text', [1, 9], 'EXIT'),
      event('speech', [5.5, 5.5], 'Hm.'),
      event('cut', [20, 20.04], 'cut'),
    ],
    { duration: 60 },
  );
});
afterAll(() => harness.close());

async function render(format: ExportFormatName, layer: Layer): Promise<string> {
  let text = '';
  for await (const piece of EXPORT_FORMATS[format].render(harness.library, video, layer)) text += piece;
  return text;
}

const milliseconds = (seconds: number) => Math.round(seconds * 1000);

/** How many cues or rows each layer has. */
const COUNTS = { summary: 2, captions: 3, events: 21, text: 1, speech: 1, subtitles: SAID.length } as const;

describe('to a parser of others', () => {
  it('SubRip says every text at its time', async () => {
    const cues = new SrtParser().fromSrt(await render('srt', 'subtitles'));
    expect(cues.map(({ id }) => id)).toEqual(SAID.map((_, index) => String(index + 1)));
    expect(cues.map(({ startSeconds, endSeconds }) => [startSeconds, endSeconds].map(milliseconds))).toEqual(SPANS_MS);
    expect(cues.map(({ text }) => text.replaceAll('\r', ''))).toEqual(SAID.map(([, srt]) => srt));
  });

  it('WebVTT says every text at its time, and the validator of the W3C has nothing against it', async () => {
    const { cues, errors } = new WebVTTParser().parse(await render('vtt', 'subtitles'));
    expect(errors).toEqual([]);
    expect(cues.map(({ startTime, endTime }) => [startTime, endTime].map(milliseconds))).toEqual(SPANS_MS);
    expect(cues.map(({ text }) => unescaped(text))).toEqual(SAID.map(([, srt, vtt]) => vtt ?? srt));
  });

  it('every layer is valid in every format of cues, and as long as it is', async () => {
    for (const layer of LAYERS) {
      expect([layer, new SrtParser().fromSrt(await render('srt', layer)).length]).toEqual([layer, COUNTS[layer]]);
      for (const [format, mode] of [['vtt'], ['chapters', 'chapters']] as const) {
        const { cues, errors } = new WebVTTParser().parse(await render(format, layer), mode);
        // Chapters do not overlap; texts of the other layers do, and then they are none.
        const faults = errors.filter(({ message }) => !(mode && layer !== 'summary' && /overlap/i.test(message)));
        expect([format, layer, cues.length, faults]).toEqual([format, layer, COUNTS[layer], []]);
      }
    }
  });

  it('CSV has a cell for every field, whatever is in the text, and no cell that a spreadsheet would run', async () => {
    for (const layer of LAYERS) {
      const rows: Record<string, string>[] = parseCsv(await render('csv', layer), { columns: true });
      const unseen = layer === 'subtitles' || layer === 'events' ? UNSEEN.length : 0;
      expect([layer, rows.length]).toEqual([layer, COUNTS[layer] + unseen]);
      for (const row of rows) {
        expect(Object.keys(row)).toHaveLength(11);
        expect(row['text']).not.toMatch(/^[=+\-@]/);
      }
    }
    const rows: Record<string, string>[] = parseCsv(await render('csv', 'subtitles'), { columns: true });
    expect(rows.slice(0, SAID.length).map(({ text }) => text)).toEqual(
      SAID.map(([text]) => {
        const line = text.replace(/[\r\n]+/g, ' ').replace('\u200b', '');
        return /^[=+-]/.test(line) ? `'${line}` : line;
      }),
    );
  });

  it('JSON and NDJSON keep to the published schema', async () => {
    const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(exportJsonSchema());
    for (const layer of LAYERS) {
      const document = JSON.parse(await render('json', layer));
      expect([layer, validate(document), validate.errors]).toEqual([layer, true, null]);
      const [{ type, ...head }, ...items] = (await render('ndjson', layer))
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(type).toBe('video');
      expect({ ...head, items: items.map(({ type: _, ...item }) => item) }).toEqual(document);
    }
    expect(validate({ ...JSON.parse(await render('json', 'speech')), schema_version: 2 })).toBe(false);
  });
});

describe.skipIf(!ffmpegIsThere && !process.env['CI'])('muxed by ffmpeg and read back', () => {
  const save = async (name: string, format: ExportFormatName, layer: Layer) => {
    const file = path.join(harness.folder, name);
    writeFileSync(file, await render(format, layer));
    return file;
  };

  /** A second of picture, the subtitles of these files and the chapters. */
  async function mux(name: string, subtitles: readonly string[], codecs: readonly string[]): Promise<string> {
    const chapters = await save('chapters.txt', 'ffmetadata', 'summary');
    const file = path.join(harness.folder, name);
    execFileSync('ffmpeg', [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', 'color=s=64x64:r=5:d=1'],
      ...subtitles.flatMap((subtitle) => ['-i', subtitle]),
      ...['-f', 'ffmetadata', '-i', chapters, '-map_chapters', String(subtitles.length + 1), '-map', '0'],
      ...subtitles.flatMap((_, index) => ['-map', String(index + 1)]),
      ...codecs,
      file,
    ]);
    return file;
  }

  /** Spans of the cues of each subtitle track, in milliseconds, and the chapters. */
  function readBack(file: string) {
    const shown = ['-show_entries', 'packet=codec_type,stream_index,pts_time,duration_time,size', '-show_chapters'];
    const output = execFileSync('ffprobe', ['-v', 'error', ...shown, '-of', 'json', file], { encoding: 'utf8' });
    const { packets, chapters } = JSON.parse(output) as {
      packets: { codec_type: string; stream_index: number; pts_time: string; duration_time?: string; size: string }[];
      chapters: { start_time: string; end_time: string; tags: { title: string } }[];
    };
    const tracks: number[][][] = [];
    for (const packet of packets) {
      // MP4 fills the time between two cues with an empty one, of two bytes.
      const isFiller = file.endsWith('.mp4') && Number(packet.size) <= 2;
      if (packet.codec_type !== 'subtitle' || packet.duration_time === undefined || isFiller) continue;
      const start = Number(packet.pts_time);
      tracks[packet.stream_index] ??= [];
      tracks[packet.stream_index]?.push([start, start + Number(packet.duration_time)].map(milliseconds));
    }
    return {
      tracks: tracks.slice(1),
      chapters: chapters.map(({ start_time, end_time, tags }) => [Number(start_time), Number(end_time), tags.title]),
    };
  }

  const CHAPTERS = [
    [0, 4.2, 'A = b; #1 \\ "x"'],
    [4.2, 20.001, `Schluß 日本 ${FAMILY}.`],
  ];

  it('the times are the same to the millisecond in MP4, Matroska and WebM, and so are the chapters', async () => {
    const srt = await save('said.srt', 'srt', 'subtitles');
    const vtt = await save('said.vtt', 'vtt', 'subtitles');
    const mp4 = await mux('said.mp4', [srt, vtt], ['-c:v', 'mpeg4', '-c:s', 'mov_text']);
    const mkv = await mux('said.mkv', [srt, vtt], ['-c:v', 'mpeg4', '-c:s:0', 'subrip', '-c:s:1', 'webvtt']);
    const webm = await mux('said.webm', [vtt], ['-c:v', 'libvpx', '-deadline', 'realtime', '-c:s', 'webvtt']);
    expect(readBack(mp4)).toEqual({ tracks: [SPANS_MS, SPANS_MS], chapters: CHAPTERS });
    expect(readBack(mkv)).toEqual({ tracks: [SPANS_MS, SPANS_MS], chapters: CHAPTERS });
    expect(readBack(webm)).toEqual({ tracks: [SPANS_MS], chapters: CHAPTERS });
    const back = execFileSync('ffmpeg', ['-v', 'error', '-i', mp4, '-map', '0:s:0', '-f', 'srt', '-'], {
      encoding: 'utf8',
    });
    expect(new SrtParser().fromSrt(back).map(({ text }) => text)).toEqual(SAID.map(([, srt]) => srt));
  });

  it('of texts that overlap, MP4 ends the first where the second begins', async () => {
    const srt = await save('captions.srt', 'srt', 'captions');
    const mp4 = await mux('overlap.mp4', [srt], ['-c:v', 'mpeg4', '-c:s', 'mov_text']);
    const mkv = await mux('overlap.mkv', [srt], ['-c:v', 'mpeg4', '-c:s', 'subrip']);
    const [first, second, third] = [0, 3000, 4200];
    const all = [
      [first, 4200],
      [second, 4000],
      [third, 20_001],
    ];
    expect(readBack(mkv).tracks).toEqual([all]);
    expect(readBack(mp4).tracks).toEqual([[[first, second], ...all.slice(1)]]);
  });
});

function unescaped(text: string): string {
  return text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}
