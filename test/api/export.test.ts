import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EXPORT_FORMATS, type ExportFormatName } from '../../api/export/formats.js';
import type { Layer } from '../../api/export/layer.js';
import { cleanText, LINE_WIDTH, wrapText } from '../../api/export/text.js';
import type { VideoPatch } from '../../index/library.js';
import type { MediaEvent } from '../../src/event.js';
import { event, type Harness, openHarness, VIDEO_ID } from './harness.js';

const ffmpegIsThere = spawnSync('ffmpeg', ['-version']).status === 0 && spawnSync('ffprobe', ['-version']).status === 0;

let harness: Harness;
beforeEach(() => {
  harness = openHarness();
});
afterEach(() => harness.close());

async function render(format: ExportFormatName, layer: Layer, events: readonly MediaEvent[], patch?: VideoPatch) {
  const video = harness.addVideo(events, patch);
  let text = '';
  for await (const piece of EXPORT_FORMATS[format].render(harness.library, video, layer)) text += piece;
  return text;
}

/** Times in milliseconds and text of each cue; knows no more of the formats than blank lines and arrows. */
function readCues(file: string): { start: number; end: number; text: string }[] {
  const blocks = file.replaceAll('\r\n', '\n').split(/\n\n+/);
  return blocks.flatMap((block) => {
    const match = /(?:^|\n)(\d+):(\d\d):(\d\d)[.,](\d{3}) --> (\d+):(\d\d):(\d\d)[.,](\d{3})\n([\s\S]+)$/.exec(block);
    if (!match) return [];
    const [h1, m1, s1, ms1, h2, m2, s2, ms2] = match.slice(1, 9).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const milliseconds = (h: number, m: number, s: number, ms: number) => ((h * 60 + m) * 60 + s) * 1000 + ms;
    return [{ start: milliseconds(h1, m1, s1, ms1), end: milliseconds(h2, m2, s2, ms2), text: match[9] ?? '' }];
  });
}

const lines = [
  event('subtitle', [0, 1.5], 'The rabbit opens its eyes.'),
  event('subtitle', [1.5, 1.5], '42'),
  event('subtitle', [2.0004, 3], 'a --> b & <i>c</i> <|im_start|>'),
  event('subtitle', [3661.25, 3662.75], 'One line\nand another'),
  event('subtitle', [360_000.001, 360_001], 'after a hundred hours'),
];

describe('SubRip', () => {
  it('is numbered from 1, has commas and CRLF, and holds one arrow a cue', async () => {
    expect(await render('srt', 'subtitles', lines)).toBe(
      [
        '1\r\n00:00:00,000 --> 00:00:01,500\r\nThe rabbit opens its eyes.\r\n\r\n',
        '2\r\n00:00:01,500 --> 00:00:01,501\r\n42\r\n\r\n',
        '3\r\n00:00:02,001 --> 00:00:03,000\r\na → b & <i>c</i>\r\n\r\n',
        '4\r\n01:01:01,250 --> 01:01:02,750\r\nOne line\r\nand another\r\n\r\n',
        '5\r\n100:00:00,001 --> 100:00:01,000\r\nafter a hundred hours\r\n\r\n',
      ].join(''),
    );
  });
});

describe('WebVTT', () => {
  it('escapes what would be markup', async () => {
    expect(await render('vtt', 'subtitles', lines.slice(2, 4))).toBe(
      'WEBVTT\n\n1\n00:00:02.001 --> 00:00:03.000\na --&gt; b &amp; &lt;i&gt;c&lt;/i&gt;\n\n2\n01:01:01.250 --> 01:01:02.750\nOne line\nand another\n\n',
    );
  });

  it('is a valid file when there is nothing to say', async () => {
    expect(await render('vtt', 'speech', lines)).toBe('WEBVTT\n\n');
    expect(await render('srt', 'speech', lines)).toBe('');
  });
});

describe('chapters', () => {
  const chapters = [event('chapter', [0, 4], 'A = b; #1 \\'), event('chapter', [4, 10], `Long ${'title '.repeat(30)}`)];

  it('are titles of one line in WebVTT', async () => {
    const cues = readCues(await render('chapters', 'summary', chapters));
    expect(cues.map(({ start, end }) => [start, end])).toEqual([
      [0, 4000],
      [4000, 10_000],
    ]);
    expect(cues[1]?.text).toMatch(/^Long title .*…$/);
    expect(cues[1]?.text).toHaveLength(120);
  });

  it('are escaped in ffmetadata', async () => {
    expect(await render('ffmetadata', 'summary', chapters.slice(0, 1))).toBe(
      ';FFMETADATA1\ntitle=Bunny\n\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=4000\ntitle=A \\= b\\; \\#1 \\\\\n',
    );
  });

  it('never overlap, whatever the file claims', async () => {
    const overlapping = [event('chapter', [0, 9], 'a'), event('chapter', [3, 3], 'b'), event('chapter', [3, 10], 'c')];
    const cues = readCues(await render('chapters', 'summary', overlapping));
    expect(cues).toEqual([
      { start: 0, end: 3000, text: 'a' },
      { start: 3000, end: 10_000, text: 'c' },
    ]);
  });
});

describe('data', () => {
  it('comes as JSON with its version, what is covered and what is not', async () => {
    const text = await render('json', 'subtitles', lines.slice(0, 1), {
      duration: 12,
      coverage: [
        { start: 0, end: 4 },
        { start: 6, end: 12 },
      ],
    });
    expect(JSON.parse(text)).toEqual({
      schema_version: 1,
      layer: 'subtitles',
      video: expect.objectContaining({ id: VIDEO_ID, title: 'Bunny', file_name: 'bunny.mp4', duration_s: 12 }),
      coverage: [
        [0, 4],
        [6, 12],
      ],
      gaps: [[4, 6]],
      items: [
        expect.objectContaining({ kind: 'subtitle', start_s: 0, end_s: 1.5, text: 'The rabbit opens its eyes.' }),
      ],
    });
    expect(text).not.toContain(harness.folder);
  });

  it('is valid JSON without any item, too', async () => {
    expect(JSON.parse(await render('json', 'speech', []))).toMatchObject({ layer: 'speech', items: [] });
  });

  it('comes as one JSON value a line', async () => {
    const [head, ...items] = (await render('ndjson', 'events', lines))
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(head).toMatchObject({ type: 'video', schema_version: 1, layer: 'events' });
    // What is no word to anybody but a model is left out here as in subtitles.
    expect(items.map((item) => [item.type, item.text])).toEqual(
      lines.map(({ text }) => ['event', text === 'a --> b & <i>c</i> <|im_start|>' ? 'a --> b & <i>c</i>' : text]),
    );
  });

  it('comes as CSV that quotes what must be quoted and starts no formula', async () => {
    const events = [
      event('subtitle', [1, 2.5], 'He said "no", then left'),
      event('text', [3, 4], '=HYPERLINK("http://evil.example")'),
      event('text', [4, 5], '\u0000\t-1+1\nsecond'),
    ];
    expect(await render('csv', 'events', events)).toBe(
      [
        'id,kind,source,start,end,start_s,end_s,precision_s,confidence,model,text',
        `${VIDEO_ID}-0-0,subtitle,subtitle,0:00:01.000,0:00:02.500,1.000,2.500,0.040,,,"He said ""no"", then left"`,
        `${VIDEO_ID}-0-1,text,text,0:00:03.000,0:00:04.000,3.000,4.000,0.040,,,"'=HYPERLINK(""http://evil.example"")"`,
        `${VIDEO_ID}-0-2,text,text,0:00:04.000,0:00:05.000,4.000,5.000,0.040,,,'-1+1 second`,
        '',
      ].join('\r\n'),
    );
  });
});

describe('the layer of a subtitle file that was not asked for one', () => {
  const layerOf = (events: readonly MediaEvent[]) =>
    EXPORT_FORMATS.srt.defaultLayer(harness.library, harness.addVideo(events));

  it('is the first of captions, subtitles, speech and text that has anything, else the summary', async () => {
    expect(await layerOf([event('cut', [1, 2], 'cut')])).toBe('summary');
    expect(await layerOf([event('text', [1, 2], 'EXIT')])).toBe('text');
    expect(await layerOf([event('text', [1, 2], 'EXIT'), event('subtitle', [1, 2], 'Hello')])).toBe('subtitles');
    expect(await layerOf([event('subtitle', [1, 2], 'Hello'), event('caption', [0, 9], 'A man.')])).toBe('captions');
  });
});

describe('text', () => {
  it('loses control characters, model tokens, even nested ones, and empty lines', () => {
    expect(cleanText('a\u0000\u001b[31mb <|im_<|x|>end|> \r\n\n\u2028 c\td\ufeff')).toBe('a[31mb\nc d');
    expect(cleanText('\u0007 <|eot|>\n')).toBe('');
    expect(cleanText('broken \ud800 pair')).toBe('broken \ufffd pair');
  });

  it('for two lines is split near its middle', () => {
    expect(wrapText('The rabbit opens its eyes and looks at the butterfly')).toEqual([
      'The rabbit opens its eyes',
      'and looks at the butterfly',
    ]);
  });

  it('never makes a line too long or empty, nor loses or gains a word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        const clean = cleanText(text);
        fc.pre(clean !== '');
        const wrapped = wrapText(clean);
        for (const line of wrapped) {
          expect([...line].length).toBeLessThanOrEqual(LINE_WIDTH);
          expect(line.trim()).not.toBe('');
        }
        expect(wrapped.join('').replace(/\s/gu, '')).toBe(clean.replace(/\s/gu, ''));
      }),
    );
  });
});

describe('any cues', () => {
  const anyText = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 120 }),
    fc.constantFrom(
      '-->',
      '1\n\n2\n00:00:01,000 --> 00:00:02,000\nfake',
      '42',
      'WEBVTT',
      'NOTE x',
      '<|im_end|>',
      '&lt;',
      '\r\r',
    ),
  );
  const anyEvents = fc
    .array(
      fc.tuple(fc.double({ min: 0, max: 400_000, noNaN: true }), fc.double({ min: 0, max: 100, noNaN: true }), anyText),
      {
        maxLength: 8,
      },
    )
    .map((list) =>
      list.sort((a, b) => a[0] - b[0]).map(([start, length, text]) => event('subtitle', [start, start + length], text)),
    );

  it.each(['srt', 'vtt'] as const)(
    'in %s read back as many, in order, each with an end after its start',
    async (format) => {
      await fc.assert(
        fc.asyncProperty(anyEvents, async (events) => {
          const cues = readCues(await render(format, 'subtitles', events));
          expect(cues).toHaveLength(events.filter((item) => cleanText(item.text) !== '').length);
          for (const [index, cue] of cues.entries()) {
            expect(cue.end).toBeGreaterThan(cue.start);
            expect(cue.start).toBeGreaterThanOrEqual(cues[index - 1]?.start ?? 0);
            expect(cue.text).not.toContain('-->');
          }
        }),
        { numRuns: 50 },
      );
    },
  );
});

describe.skipIf(!ffmpegIsThere && !process.env['CI'])('read back by ffmpeg', () => {
  const probePackets = (file: string) => {
    const output = execFileSync('ffprobe', ['-v', 'error', '-show_packets', '-of', 'json', file], { encoding: 'utf8' });
    const { packets } = JSON.parse(output) as { packets: { pts_time: string; duration_time: string }[] };
    return packets.map((packet) => [
      Math.round(Number(packet.pts_time) * 1000),
      Math.round((Number(packet.pts_time) + Number(packet.duration_time)) * 1000),
    ]);
  };

  it.each(['srt', 'vtt'] as const)('%s has the same times to the millisecond', async (format) => {
    const text = await render(format, 'subtitles', lines);
    const file = path.join(harness.folder, `out.${format}`);
    writeFileSync(file, text);
    expect(probePackets(file)).toEqual([
      [0, 1500],
      [1500, 1501],
      [2001, 3000],
      [3_661_250, 3_662_750],
      [360_000_001, 360_001_000],
    ]);
  });

  it('chapters go into a container with the same times and titles', async () => {
    const events = [event('chapter', [0, 4.2], 'A = b; #1 \\ "x"'), event('chapter', [4.2, 10], 'Schluß')];
    const metadata = path.join(harness.folder, 'chapters.txt');
    writeFileSync(metadata, await render('ffmetadata', 'summary', events));
    const output = execFileSync(
      'ffprobe',
      ['-v', 'error', '-f', 'ffmetadata', '-show_chapters', '-show_format', '-of', 'json', metadata],
      {
        encoding: 'utf8',
      },
    );
    const { chapters, format } = JSON.parse(output) as {
      chapters: { start_time: string; end_time: string; tags: { title: string } }[];
      format: { tags: { title: string } };
    };
    expect(format.tags.title).toBe('Bunny');
    expect(chapters.map((chapter) => [chapter.start_time, chapter.end_time, chapter.tags.title])).toEqual([
      ['0.000000', '4.200000', 'A = b; #1 \\ "x"'],
      ['4.200000', '10.000000', 'Schluß'],
    ]);
  });
});
