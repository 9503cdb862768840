import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { columnsOf } from '../../api/export/columns.js';
import { EXPORT_FORMATS, type ExportFormatName } from '../../api/export/formats.js';
import type { Layer } from '../../api/export/layer.js';
import { cleanText } from '../../api/export/text.js';
import { LINE_WIDTH, wrapText } from '../../api/export/wrap.js';
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
        '3\r\n00:00:02,001 --> 00:00:03,000\r\na → b & ‹i›c‹/i›\r\n\r\n',
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

describe('the reading speed', () => {
  const said = [event('speech', [0, 2], 'x'.repeat(40)), event('speech', [2, 3], '字'.repeat(11))];

  it('stands beside each text in JSON, a wide character counted twice', async () => {
    const { items } = JSON.parse(await render('json', 'speech', said));
    expect(items.map((item: { reading_speed_cps: number }) => item.reading_speed_cps)).toEqual([20, 22]);
    const cuts = JSON.parse(await render('json', 'events', [event('cut', [1, 2], 'cut')]));
    expect(cuts.items[0]).not.toHaveProperty('reading_speed_cps');
  });

  it('of subtitles is told in a header: how many are faster than 20 characters a second', async () => {
    harness.addVideo(said);
    const address = `/v1/videos/${VIDEO_ID}/export?format=srt`;
    for (const method of ['GET', 'HEAD']) {
      const { headers } = await harness.get(address, { method });
      expect(headers.get('longwatch-reading-speed')).toBe('cues=2, fast=1, limit_cps=20, fastest_cps=22.0');
    }
    const { headers } = await harness.get(address.replace('srt', 'json'));
    expect(headers.get('longwatch-reading-speed')).toBeNull();
  });
});

describe('an export over HTTP', () => {
  const address = `/v1/videos/${VIDEO_ID}/export?format=ndjson`;

  it('is not sent again to a client that has it, until something new is written', async () => {
    harness.addVideo([event('speech', [0, 2], 'Hello.')]);
    const etag = (await harness.get(address)).headers.get('etag') ?? '';
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    const again = () => harness.get(address, { headers: { 'if-none-match': etag } });
    expect(await again()).toMatchObject({ status: 304, body: '' });
    harness.addVideo([event('speech', [0, 2], 'Goodbye.')]);
    expect(await again()).toMatchObject({ status: 200 });
  });

  it('of many megabytes goes out as it is read, whole and without a tag', async () => {
    harness.addVideo(Array.from({ length: 6 }, (_, index) => event('text', [index, index + 1], 'x'.repeat(1e6))));
    const { headers, body } = await harness.get(address);
    expect(headers.get('etag')).toBeNull();
    const items = String(body).trimEnd().split('\n').slice(1);
    expect(items.map((item) => JSON.parse(item).text.length)).toEqual([1e6, 1e6, 1e6, 1e6, 1e6, 1e6]);
  });

  it('has a name that no player and no file system trips over', async () => {
    const name = async (title: string) => {
      harness.library.updateVideo(harness.addVideo().id, { title });
      return (await harness.get(address)).headers.get('content-disposition');
    };
    expect(await name('Süß "a/b" %41 \u202egpj')).toBe(
      `attachment; filename="S__ _a_b_ _41 _gpj.ndjson"; filename*=UTF-8''S%C3%BC%C3%9F%20_a_b_%20%2541%20_gpj.ndjson`,
    );
    const long = decodeURIComponent((await name('😀'.repeat(300)))?.split("UTF-8''")[1] ?? '');
    expect(long).toBe(`${'😀'.repeat(193)}.ndjson`);
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

  it('in wide characters is half as long, and breaks between words where there are no spaces', () => {
    expect(wrapText('字'.repeat(21))).toEqual(['字'.repeat(21)]);
    expect(wrapText('東京は日本の首都であり、世界でも最も人口の多い都市の一つです。')).toEqual([
      '東京は日本の首都であり、世界でも',
      '最も人口の多い都市の一つです。',
    ]);
    expect(wrapText(`see https://example.com/${'path/'.repeat(8)}end now`)).toEqual([
      'see https://example.com/path/path/',
      'path/path/path/path/path/path/end now',
    ]);
  });

  it('is as wide as it looks: an emoji two columns, a mark above a letter none', () => {
    expect(['abc', 'e\u0301', '日本', '👩‍👩‍👧‍👦', '🇩🇪', '☀\ufe0f', 'ｱ', '\u200d'].map(columnsOf)).toEqual([
      3, 1, 4, 2, 2, 2, 1, 0,
    ]);
    expect(wrapText('👩‍👩‍👧‍👦'.repeat(22))).toEqual(['👩‍👩‍👧‍👦'.repeat(11), '👩‍👩‍👧‍👦'.repeat(11)]);
  });

  it('never makes a line too long or empty, nor loses or gains a word', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        const clean = cleanText(text);
        fc.pre(clean !== '');
        const wrapped = wrapText(clean);
        for (const line of wrapped) {
          expect(columnsOf(line)).toBeLessThanOrEqual(LINE_WIDTH);
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
