import { describe, expect, it } from 'vitest';
import type { Retrieval } from '../../../index/library.js';
import { LibraryReaders } from '../../../index/readers/library-readers.js';
import { latentVectors, newVideo, signal, subtitle, temporaryFolder, temporaryLibrary, windowOf } from '../support.js';

const DIM = 16;
const QUERY = latentVectors(1, DIM, 40)[0] as Float32Array;
const DYING = new URL('./dying-thread.js', import.meta.url);

/** A library that answers everything with one word. */
const own: Retrieval & { readonly directory: string } = {
  directory: '/nowhere',
  matchText: () => ['the library itself'] as never,
  nearest: async () => ['the library itself'] as never,
  nearestPoints: async () => ['the library itself'] as never,
};

function filled() {
  const library = temporaryLibrary();
  const ids = ['one', 'two'].map((name) => library.addVideo(newVideo(name)).id);
  ids.forEach((id, n) => {
    const events = latentVectors(20, DIM, n + 1).map((embedding, i) => ({
      event: subtitle(i / 2, i / 2 + 1, `line ${i} of rabbits`),
      embedding,
    }));
    library.writeWindow(id, windowOf(0, [...events, { event: signal('cut', 3, 3.04, 'cut') }]), 'e');
  });
  return { library, ids };
}

describe('the readers of a library', () => {
  it('answer as the library does, also after it was written to, and close', async () => {
    const { library, ids } = filled();
    const readers = new LibraryReaders(library, { textReaders: 2 });
    const scopes = [undefined, { videoIds: [ids[1] as string], range: { start: 2, end: 5 } }];
    const same = async () => {
      for (const scope of scopes) {
        for (const query of ['rabits line', '"line 3"', 'cut', ''])
          expect(await readers.matchText(query, 9, scope)).toEqual(library.matchText(query, 9, scope));
        expect(await readers.nearest('e', QUERY, 9, scope)).toEqual(await library.nearest('e', QUERY, 9, scope));
        expect(await readers.nearestPoints('e', QUERY, 3, scope)).toEqual(
          await library.nearestPoints('e', QUERY, 3, scope),
        );
      }
    };
    await same();
    library.writeWindow(ids[0] as string, windowOf(1, [{ event: subtitle(12, 13, 'line 3'), embedding: QUERY }]), 'e');
    expect((await readers.nearest('e', QUERY, 1))[0]?.event.text).toBe('line 3');
    await same();
    await readers.close();
    await readers.close();
    await expect(readers.matchText('line', 1)).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('tell what is wrong with a question as the library does', async () => {
    const readers = new LibraryReaders(filled().library, { textReaders: 1 });
    await expect(readers.matchText('line', 1, { range: { start: 2, end: 1 } })).rejects.toMatchObject({
      name: 'LongwatchError',
      code: 'bad_range',
      pointer: '/range',
      hint: 'Give a start before the end.',
    });
    await expect(readers.nearest('e', new Float32Array(3), 1)).rejects.toMatchObject({ code: 'invalid_input' });
    await readers.close();
  });

  it('fail with a thread that dies, and answer again with the next one', async () => {
    const readers = new LibraryReaders(own, { textReaders: 1, thread: DYING });
    expect(await readers.matchText('one', 1)).toEqual(['to one']);
    const both = [readers.matchText('wait', 1), readers.matchText('die', 1)];
    for (const end of await Promise.allSettled(both))
      expect(end).toMatchObject({
        status: 'rejected',
        reason: { code: 'internal', hint: expect.stringContaining('Ask again') },
      });
    expect(await readers.matchText('two', 1)).toEqual(['to two']);
    await readers.close();
  });

  it('leave it to the library where no thread comes up', async () => {
    const readers = new LibraryReaders({ ...own, directory: '/unwilling' }, { thread: DYING });
    expect(await readers.matchText('one', 1)).toEqual(['the library itself']);
    expect(await readers.nearest('e', QUERY, 1)).toEqual(['the library itself']);
    await readers.close();
    const nowhere = new LibraryReaders({ ...own, directory: temporaryFolder() });
    expect(await nowhere.nearest('e', QUERY, 1)).toEqual(['the library itself']);
    await nowhere.close();
  });

  it('that are closed while somebody waits end his wait', async () => {
    const readers = new LibraryReaders(own, { textReaders: 1, thread: DYING });
    const waiting = expect(readers.matchText('wait', 1)).rejects.toMatchObject({ code: 'cancelled' });
    await readers.close();
    await waiting;
  });
});
