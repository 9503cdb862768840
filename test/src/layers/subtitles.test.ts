import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeText, readCaptionFiles } from '../../../src/layers/subtitles/caption-file.js';
import { MAX_CUE_LENGTH, plainCueText } from '../../../src/layers/subtitles/cue-text.js';
import { subtitleEvents } from '../../../src/layers/subtitles/subtitles.js';

function folderWith(files: Record<string, string | Uint8Array>): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-subtitles-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(path.join(folder, name), content);
  return folder;
}

describe('the text of a cue', () => {
  it.each([
    ['<i>Hello</i> {\\an8}there\nsecond line', 'Hello there second line'],
    ['<v Bob>Hi &amp; <b>you</b></v> &#33;&#x41;', 'Hi & you !A'],
    ['Hello\\N there', 'Hello there'],
    ['5 < 6 and 7 > 3', '5 < 6 and 7 > 3'],
    ['a\u0000b\u202ec\u200bd', 'abcd'],
    ['<00:00:01.000>karaoke', 'karaoke'],
    ['  \t\n ', ''],
    ['&unknown; &#0; &#xd800;', '&unknown;'],
  ])('%j reads %j', (markup, text) => {
    expect(plainCueText(markup)).toBe(text);
  });

  it('holds no control character and stays short, whatever is in the file', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (markup) => {
        const text = plainCueText(markup);
        expect(text).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(text.length).toBeLessThanOrEqual(MAX_CUE_LENGTH);
      }),
    );
    expect(plainCueText('x'.repeat(100_000))).toHaveLength(MAX_CUE_LENGTH);
  });
});

describe('subtitle files beside a video', () => {
  const SRT =
    '1\r\n00:00:01,000 --> 00:00:02,500\r\nHello\r\n\r\n2\r\n01:00:03,000 --> 01:00:04,000\r\nAn hour later\r\n';

  it('are found by its name, with their language, and none of another video', async () => {
    const folder = folderWith({
      'film.mp4': '',
      'film.srt': SRT,
      'film.en.srt': SRT,
      'film.pt-BR.forced.vtt': 'WEBVTT\n\n00:01.000 --> 00:02.000\nOi\n',
      'film2.srt': SRT,
      'filmography.srt': SRT,
      'film.txt': SRT,
      'other.srt': SRT,
    });
    const { files, problems } = await readCaptionFiles(path.join(folder, 'film.mp4'));
    expect(files.map((file) => [path.basename(file.path), file.language, file.cues.length])).toEqual([
      ['film.en.srt', 'en', 2],
      ['film.pt-BR.forced.vtt', 'pt-BR', 1],
      ['film.srt', undefined, 2],
    ]);
    expect(problems).toEqual([]);
    expect(files[0]?.cues[1]).toEqual({ containerStart: 3603, containerEnd: 3604, text: 'An hour later' });
  });

  it('that are broken lose only their broken lines, and it is said', async () => {
    const folder = folderWith({
      'film.mp4': '',
      'film.srt': `${SRT}\r\n3\r\n00:00:09,000 --> 00:00:08,000\r\nbackwards\r\n\r\n4\r\nnot a time --> at all\r\nlost\r\n`,
    });
    mkdirSync(path.join(folder, 'film.vtt'));
    const { files, problems } = await readCaptionFiles(path.join(folder, 'film.mp4'));
    expect(files[0]?.cues.map((cue) => cue.text)).toEqual(['Hello', 'An hour later']);
    expect(files[0]?.warning).toMatch(/film\.srt: \d+ lines? were not understood/);
    expect(problems).toEqual(['The subtitle file film.vtt was not read: it is not a regular file.']);
    // What stands where the folder should be cannot be listed.
    expect((await readCaptionFiles(path.join(import.meta.filename, 'film.mp4'))).problems).toEqual([
      expect.stringMatching(/^Subtitle files beside it were not looked for: ENOTDIR/),
    ]);
  });

  it('are read as UTF-8, UTF-16 by its mark, or else Windows-1252', () => {
    expect(decodeText(Buffer.from('café', 'utf8'))).toBe('café');
    expect(decodeText(Buffer.from('\ufeffcafé', 'utf16le'))).toBe('café');
    expect(decodeText(Uint8Array.of(0x63, 0x61, 0x66, 0xe9))).toBe('café');
    expect(decodeText(Uint8Array.of(0x93, 0x80, 0x94, 0x9f))).toBe('“€”Ÿ');
  });
});

describe('subtitle events', () => {
  const track = (cues: [number, number, string][], language?: string) => ({
    origin: 'test',
    identity: 'test',
    cues: cues.map(([containerStart, containerEnd, text]) => ({ containerStart, containerEnd, text })),
    ...(language === undefined ? {} : { language }),
  });

  it('count from the first frame; what was over before it is left out, what lasts into it is cut', () => {
    const events = subtitleEvents(
      [
        track(
          [
            [9, 9.5, 'before'],
            [9.8, 11, 'into'],
            [12, 13, 'after'],
          ],
          'en',
        ),
      ],
      10,
    );
    expect(events.map(({ start, end, text }) => [start, end, text])).toEqual([
      [0, 1, 'into'],
      [2, 3, 'after'],
    ]);
    expect(events[0]).toMatchObject({ kind: 'subtitle', source: 'subtitle', attributes: { language: 'en' } });
  });

  it('of several tracks come in order of time, without the cues that hold no words', () => {
    const events = subtitleEvents(
      [
        track([
          [3, 4, 'b'],
          [1, 2, '<i></i>'],
        ]),
        track([[2, 3, 'a']]),
      ],
      0,
    );
    expect(events.map((event) => event.text)).toEqual(['a', 'b']);
  });
});
