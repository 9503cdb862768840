import { describe, expect, it } from 'vitest';
import { createSearcher } from '../../index/search/searcher.js';
import type { Searcher, SearchRequest } from '../../index/search/types.js';
import { type AskAnswer, type AskRequest, type AskStep, ask } from '../../src/ask.js';
import type { BackendRequest } from '../../src/backend.js';
import { LongwatchError } from '../../src/errors.js';
import { BagOfWords, fill, newVideo, signal, subtitle, temporaryLibrary } from '../index/support.js';
import { ScriptedBackend, wordsOf } from './tasks/scripted-backend.js';

const MEADOW = [
  subtitle(2, 4, 'The rabbit opens its eyes'),
  subtitle(5, 7, 'A butterfly lands on a flower'),
  subtitle(61, 63, 'An apple falls on his head'),
  signal('cut', 62, 62.04, 'cut'),
];
const MOON = [subtitle(30, 33, 'A rabbit jumps on the moon')];

async function house(script?: (request: BackendRequest) => string) {
  const library = temporaryLibrary();
  const embedder = new BagOfWords();
  const ids: string[] = [];
  for (const [name, lines] of [
    ['meadow', MEADOW],
    ['moon', MOON],
  ] as const) {
    const { id } = library.addVideo(newVideo(name));
    await fill(library, id, lines, embedder);
    ids.push(id);
  }
  const backend = script && new ScriptedBackend(script);
  const parts = {
    library,
    searcher: createSearcher({ library, embedder }),
    ...(backend ? { model: async () => ({ backend }) } : {}),
  };
  return { parts, backend, ids, library };
}

async function stepsOf(parts: Parameters<typeof ask>[0], request: AskRequest | string, signal?: AbortSignal) {
  const steps: AskStep[] = [];
  for await (const step of ask(parts, typeof request === 'string' ? { question: request } : request, signal))
    steps.push(step);
  return steps;
}

async function answerTo(...args: Parameters<typeof stepsOf>): Promise<AskAnswer> {
  const last = (await stepsOf(...args)).at(-1);
  if (last?.kind !== 'answer') throw new Error('There is no answer.');
  return last.answer;
}

describe('a question with a model', () => {
  it('is answered in its sentences, each with the places that it rests on', async () => {
    const said = '{"found":true,"sentences":[{"notes":[1,2],"text":"A rabbit jumps, another one wakes up."}]}';
    const { parts, backend, ids } = await house(() => said);
    const steps = await stepsOf(parts, 'rabbit moon');
    expect(steps.map(({ kind }) => kind)).toEqual(['found', 'answer']);
    const answer = await answerTo(parts, 'rabbit moon');
    expect(answer).toMatchObject({ found: true, by: 'model', model: 'scripted' });
    expect(answer.sentences).toEqual([
      {
        text: 'A rabbit jumps, another one wakes up.',
        citations: [
          expect.objectContaining({ videoId: ids[1], title: 'moon', start: 30, end: 33, kind: 'subtitle' }),
          expect.objectContaining({ videoId: ids[0], title: 'meadow', start: 2, end: 4, precision: 0.05 }),
        ],
      },
    ]);
    const words = wordsOf(backend?.requests[0] as BackendRequest);
    expect(words).toContain('[2] 0:00:02.000 to 0:00:04.000, subtitle of video 2: "The rabbit opens its eyes"');
    expect(words).toContain('[1] 0:00:30.000 to 0:00:33.000, subtitle of video 1: "A rabbit jumps on the moon"');
  });

  it('shows the model what stands around the places too, once, and no signals', async () => {
    const { parts, backend, ids } = await house(
      () => '{"found":true,"sentences":[{"notes":[2],"text":"A butterfly came."}]}',
    );
    const answer = await answerTo(parts, { question: 'rabbit opens eyes', videoIds: [ids[0] as string] });
    const words = wordsOf(backend?.requests[0] as BackendRequest);
    expect(words.match(/^\[\d+\].*$/gm)).toEqual([
      '[1] 0:00:02.000 to 0:00:04.000, subtitle: "The rabbit opens its eyes"',
      '[2] 0:00:05.000 to 0:00:07.000, subtitle: "A butterfly lands on a flower"',
    ]);
    expect(answer.sentences[0]?.citations).toMatchObject([{ start: 5, end: 7, text: 'A butterfly lands on a flower' }]);
  });

  it('is not answered when the model finds nothing in the places', async () => {
    const { parts } = await house(() => '{"found":false,"sentences":[]}');
    const answer = await answerTo(parts, 'what colour have the eyes of the rabbit?');
    expect(answer).toMatchObject({ found: false, by: 'model', sentences: [] });
    expect(answer.note).toContain('scripted found no answer at the');
  });

  it('is answered with the places themselves when the model fails', async () => {
    const { parts } = await house(() => 'no JSON at all');
    const answer = await answerTo(parts, 'apple falls on his head');
    expect(answer).toMatchObject({ found: true, by: 'quotes', sentences: [{ text: 'An apple falls on his head' }] });
    expect(answer).not.toHaveProperty('model');
    expect(answer.note).toContain('since the model failed');
  });

  it('ends with what no quotation mends', async () => {
    const { parts } = await house(() => {
      throw new LongwatchError('bad_config', 'The key is wrong.');
    });
    await expect(answerTo(parts, 'apple')).rejects.toMatchObject({ code: 'bad_config' });
  });
});

describe('a question without a model', () => {
  it('is answered with what stands at the places, and says so', async () => {
    const { parts } = await house();
    const answer = await answerTo(parts, 'apple falls on his head');
    expect(answer).toMatchObject({
      question: 'apple falls on his head',
      found: true,
      by: 'quotes',
      sentences: [
        { text: 'An apple falls on his head', citations: [{ start: 61, end: 63, text: 'An apple falls on his head' }] },
      ],
    });
    expect(answer.note).toBe('The sentences are what stands at the places that were found. There is no model.');
    expect(answer.took).toBeGreaterThanOrEqual(0);
  });
});

describe('a question that the library does not answer', () => {
  it('is said not to be shown, and no model is opened for it', async () => {
    const { parts } = await house();
    let opened = 0;
    const model = async () => {
      opened++;
      return {};
    };
    const steps = await stepsOf({ ...parts, model }, 'stock market crash');
    expect(steps[0]).toEqual({ kind: 'found', citations: [] });
    expect(steps[1]).toMatchObject({ answer: { found: false, by: 'search', sentences: [] } });
    expect(opened).toBe(0);
  });
});

describe('a question that follows others', () => {
  const turns = [{ question: 'When does an apple fall?', answer: 'An apple falls on his head (0:01:01.000).' }];
  const standalone = '{"question":"When does the butterfly land?"}';
  const cited = '{"found":true,"sentences":[{"notes":[1],"text":"It lands."}]}';

  it('is said again by the model, and that is searched for and answered', async () => {
    const { parts, backend } = await house((request) =>
      wordsOf(request).includes('conversation') ? standalone : cited,
    );
    const answer = await answerTo(parts, { question: 'and the other one?', turns });
    expect(answer).toMatchObject({
      question: 'and the other one?',
      searchedFor: 'When does the butterfly land?',
      by: 'model',
      sentences: [{ text: 'It lands.', citations: [{ start: 5, end: 7 }] }],
    });
    const [again, cite] = (backend?.requests ?? []).map(wordsOf);
    expect(again).toContain(
      '- asked: "When does an apple fall?"\n- answered: "An apple falls on his head (0:01:01.000)."',
    );
    expect(cite).toContain('Question: "When does the butterfly land?"');
  });

  it('stays as it is where the model says it as it was asked', async () => {
    const { parts } = await house((request) =>
      wordsOf(request).includes('conversation') ? '{"question":"butterfly flower"}' : cited,
    );
    const answer = await answerTo(parts, { question: ' butterfly flower ', turns });
    expect(answer).not.toHaveProperty('searchedFor');
    expect(answer.question).toBe('butterfly flower');
  });

  it('is understood by its words when the model fails, with a note', async () => {
    const { parts } = await house(() => 'no JSON at all');
    const answer = await answerTo(parts, { question: 'and then?', turns });
    expect(answer).toMatchObject({ searchedFor: 'apple fall', by: 'quotes', sentences: [{ text: MEADOW[2]?.text }] });
    expect(answer.note).toContain('understood by its words, since the model failed');
  });

  it('is understood by its words when the model has none', async () => {
    const { parts } = await house((request) =>
      wordsOf(request).includes('conversation') ? '{"question":" "}' : cited,
    );
    expect((await answerTo(parts, { question: 'and then?', turns })).searchedFor).toBe('apple fall');
  });

  it('without a model is searched for with the words that it leans on', async () => {
    const { parts } = await house();
    expect(await answerTo(parts, { question: 'And where does it fall?', turns })).toMatchObject({
      searchedFor: 'And where does it fall apple',
      sentences: [{ text: 'An apple falls on his head' }],
    });
  });

  it('is searched for as it stands when nothing is found in context', async () => {
    const { parts } = await house();
    const strange = [{ question: 'xylophone quartet Vladivostok philharmonic parliament', answer: '' }];
    const answer = await answerTo(parts, { question: 'and the moon?', turns: strange });
    expect(answer).toMatchObject({ found: true, sentences: [{ text: 'A rabbit jumps on the moon' }] });
    expect(answer).not.toHaveProperty('searchedFor');
  });

  it('is refused like any other, whatever came before', async () => {
    const { parts } = await house(() => standalone);
    await expect(answerTo(parts, { question: ' ', turns })).rejects.toMatchObject({ pointer: '/question' });
  });
});

describe('a question whose places are looked at again', () => {
  const grounding = { model: 'scripted', complete: true, windows: [{ videoId: 'v', start: 0, end: 16, found: 1 }] };
  const looking = async (seen: boolean, script?: () => string) => {
    const { parts, library, backend } = await house(script);
    const asked: SearchRequest[] = [];
    const searcher: Searcher = {
      async search(request, signal, onLook) {
        asked.push(request);
        onLook?.(0, 2);
        await parts.searcher.search({ query: 'time passes' });
        onLook?.(1, 2);
        const answer = await parts.searcher.search({ ...request, ground: false }, signal);
        const results = answer.results
          .slice(0, seen ? 1 : 0)
          .map((hit) => ({ ...hit, why: ['grounded by scripted, score 0.91', ...hit.why] }));
        return {
          ...answer,
          results,
          noMatch: !seen,
          grounding,
          ...(seen ? {} : { note: 'scripted sees it nowhere.' }),
        };
      },
    };
    return { parts: { ...parts, library, searcher }, asked, backend };
  };

  it('rests on what the model saw, and says how it saw it', async () => {
    const { parts, asked, backend } = await looking(
      true,
      () => '{"found":true,"sentences":[{"notes":[1],"text":"Yes."}]}',
    );
    const answer = await answerTo(parts, { question: 'apple falls on his head', ground: true });
    expect(asked).toEqual([{ query: 'apple falls on his head', limit: 10, ground: true }]);
    expect(answer).toMatchObject({
      grounding,
      sentences: [
        { text: 'Yes.', citations: [{ start: 61, why: expect.arrayContaining(['grounded by scripted, score 0.91']) }] },
      ],
    });
    expect(wordsOf(backend?.requests[0] as BackendRequest)).toContain('grounded by scripted, score 0.91');
  });

  it('says before each look how far it is', async () => {
    const { parts } = await looking(true);
    const steps = await stepsOf(parts, { question: 'apple', ground: true });
    expect(steps.slice(0, 2)).toEqual([
      { kind: 'looking', done: 0, total: 2 },
      { kind: 'looking', done: 1, total: 2 },
    ]);
    expect(steps.slice(2).map(({ kind }) => kind)).toEqual(['found', 'answer']);
  });

  it('is not answered when it sees nothing, in its name', async () => {
    const { parts } = await looking(false);
    expect(await answerTo(parts, { question: 'apple', ground: true })).toMatchObject({
      found: false,
      by: 'model',
      model: 'scripted',
      sentences: [],
      note: 'scripted sees it nowhere.',
    });
  });
});

describe('a question that is none', () => {
  it.each([
    ['', 'invalid_input', '/question'],
    ['x'.repeat(1001), 'invalid_input', '/question'],
  ])('%.10s is refused', async (question, code, pointer) => {
    const { parts } = await house();
    await expect(answerTo(parts, question)).rejects.toMatchObject({
      code,
      pointer,
      message: expect.stringContaining('The question'),
    });
  });

  it('about an unknown video is refused', async () => {
    const { parts } = await house();
    await expect(answerTo(parts, { question: 'apple', videoIds: ['0123456789ab'] })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it('is cancelled by whoever asked', async () => {
    const { parts } = await house(() => '{"found":false,"sentences":[]}');
    await expect(answerTo(parts, 'apple', AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });
});
