import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LibrarySearcher, PictureQuery } from '../../index/search/searcher.js';
import type { SearchAnswer } from '../../index/search/types.js';
import type { VideoRecord } from '../../index/store/records.js';
import type { PictureReader } from '../../ingest/video/decoder.js';
import { LongwatchError } from '../../src/errors.js';
import { MAX_PICTURE_BYTES, type PictureSource, searchByPicture } from '../../src/picture-search.js';
import { FakePictureEmbedder } from '../fake-picture-embedder.js';
import { RefusingDecoder } from './refusing-decoder.js';

const ANSWER: SearchAnswer = { query: '', took: 0, mode: 'pictures', results: [], count: 0, noMatch: true };
const VIDEO = { id: 'v', title: 'Film', duration: 30, path: '/films/film.mp4' } as VideoRecord;

/** Reads every file as one red pixel, and remembers what was in it. */
class RedReader extends RefusingDecoder implements PictureReader {
  readonly contents: string[] = [];
  readonly paths: string[] = [];
  shown = { width: 64, height: 36 };
  fails = false;

  async picture(path: string, sizeOf: Parameters<PictureReader['picture']>[1]) {
    this.paths.push(path);
    this.contents.push(readFileSync(path, 'latin1'));
    if (this.fails) throw new LongwatchError('invalid_input', 'The picture cannot be decoded.', { path });
    sizeOf(this.shown);
    return { width: 1, height: 1, rgb: Uint8Array.of(255, 0, 0) };
  }
}

async function refuse(): Promise<never> {
  throw new Error('The search has no business here.');
}

function open() {
  const asked: PictureQuery[] = [];
  const searcher: LibrarySearcher = {
    search: refuse,
    survey: refuse,
    resembling: async (_, picture) => {
      asked.push(picture);
      return ANSWER;
    },
  };
  const decoder = new RedReader();
  const embedder = new FakePictureEmbedder();
  const parts = {
    searcher: async () => searcher,
    decoder: async () => decoder,
    pictures: async () => ({ embedder }),
  };
  return { asked, decoder, parts, search: (source: PictureSource) => searchByPicture(parts, { source }) };
}

describe('a search by a picture', () => {
  it('reads an upload from a file that is gone afterwards', async () => {
    const { search, asked, decoder } = open();
    await search({ kind: 'bytes', bytes: Buffer.from('a picture') });
    expect(decoder.contents).toEqual(['a picture']);
    expect(existsSync(decoder.paths[0] as string)).toBe(false);
    const [red] = await new FakePictureEmbedder().embedTexts(['red']);
    expect(asked).toEqual([{ name: 'the picture', vector: red }]);
  });

  it('tells nobody where an upload was for a moment', async () => {
    const { search, decoder } = open();
    decoder.fails = true;
    const error = await search({ kind: 'bytes', bytes: Buffer.from('x') }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_input', path: undefined, pointer: '/picture' });
    expect(existsSync(decoder.paths[0] as string)).toBe(false);
  });

  it.each([
    [
      'an upload that is too large',
      { kind: 'bytes', bytes: new Uint8Array(MAX_PICTURE_BYTES + 1) },
      'payload_too_large',
    ],
    ['a frame behind the end', { kind: 'frame', video: VIDEO, at: 30 }, 'bad_range'],
  ] as const)('refuses %s without reading it', async (_, source, code) => {
    const { search, decoder } = open();
    await expect(search(source)).rejects.toMatchObject({ code });
    expect(decoder.paths).toEqual([]);
  });

  it('refuses a picture of which a square shows next to nothing', async () => {
    const { search, decoder } = open();
    decoder.shown = { width: 2100, height: 100 };
    await expect(search({ kind: 'bytes', bytes: Buffer.from('x') })).rejects.toMatchObject({ code: 'invalid_input' });
  });

  it('needs a model, and says why there is none', async () => {
    const { parts } = open();
    const without = { ...parts, pictures: async () => ({ missing: 'It is switched off in the settings.' }) };
    await expect(
      searchByPicture(without, { source: { kind: 'bytes', bytes: new Uint8Array(1) } }),
    ).rejects.toMatchObject({ code: 'part_missing', hint: 'It is switched off in the settings.' });
  });
});
