/**
 * Questions that people asked about texts, with the sentence that answers each: SQuAD 1.1 and its later sets on news, reviews and forum posts, and
 * MultiRC (stories, plots, news, travel guides, textbooks), as they lie in the source package of BIG-bench. They are read, never kept or shipped.
 */

import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { type Corpus, type CorpusFilm, type CorpusQuestion, linesOf } from './corpus.js';

export interface PublishedOptions {
  /** `bigbench/benchmark_tasks` of the unpacked package. */
  readonly folder: string;
  /** Films of each set. */
  readonly films: number;
  /** Questions of each film. */
  readonly questions: number;
}

const squadSchema = z.object({
  data: z.array(
    z.object({
      title: z.string().optional(),
      paragraphs: z.array(
        z.object({
          context: z.string(),
          qas: z.array(
            z.object({
              question: z.string(),
              answers: z.array(z.object({ text: z.string(), answer_start: z.number().int() })),
            }),
          ),
        }),
      ),
    }),
  ),
});
type Paragraph = z.infer<typeof squadSchema>['data'][number]['paragraphs'][number];

const taskSchema = z.object({ examples: z.array(z.object({ input: z.string(), target: z.array(z.string()) })) });

/** Paragraphs of one film: a page or a bulletin of some eighty sentences. */
const PARAGRAPHS = 14;

export async function publishedTexts(options: PublishedOptions): Promise<Corpus[]> {
  const text = (name: string) => readFile(path.join(options.folder, name), 'utf8');
  const corpora: Corpus[] = [];
  for (const name of ['squaddev_v1.1', 'new_wiki_v1.0', 'nyt_v1.0', 'amazon_reviews_v1.0', 'reddit_v1.0']) {
    const { data } = squadSchema.parse(JSON.parse(await text(`squad_shifts/${name}.json`)));
    corpora.push({ name, films: squadFilms(name, data, options) });
  }
  // Its texts are short, so there are twice as many.
  const multirc = 'natural_instructions/subtask049_multirc_questions_needed_to_answer/task.json';
  const { examples } = taskSchema.parse(JSON.parse(await text(multirc)));
  corpora.push({ name: 'multirc', films: multircFilms(examples, { ...options, films: 2 * options.films }) });
  return corpora;
}

/** Of a set with few titles each is a film; of others paragraphs that follow each other. */
function squadFilms(
  set: string,
  data: readonly { readonly title?: string | undefined; readonly paragraphs: readonly Paragraph[] }[],
  { films, questions }: PublishedOptions,
): CorpusFilm[] {
  const paged = data.length > 1 && data.length < 100;
  const pages = paged
    ? data.map(({ paragraphs }) => paragraphs.slice(0, PARAGRAPHS))
    : chunks(
        data.flatMap(({ paragraphs }) => paragraphs),
        PARAGRAPHS,
      );
  return spread(pages, films).map((paragraphs, number) => {
    const texts: string[] = [];
    const asked: CorpusQuestion[] = [];
    for (const { context, qas } of paragraphs) {
      const sentences = sentencesOf(context);
      const first = texts.length;
      texts.push(...sentences.map(({ text }) => text));
      for (const { question, answers } of qas) {
        const right = sentences.flatMap(({ start, end }, at) =>
          answers.some(({ text, answer_start: from }) => from < end && from + text.length > start) ? [first + at] : [],
        );
        if (right.length > 0) asked.push({ text: question.trim(), right });
      }
    }
    return {
      name: `${set} ${number}`,
      lines: linesOf(texts, 'speech', 'speech'),
      questions: spread(asked, questions),
    };
  });
}

function multircFilms(
  examples: readonly { readonly input: string; readonly target: readonly string[] }[],
  { films, questions }: PublishedOptions,
): CorpusFilm[] {
  const byText = new Map<string, CorpusQuestion[]>();
  for (const { input, target } of examples) {
    const [, paragraph, question] = /^Paragraph- (.*?)\s*\n?\s*Question: (.*)$/s.exec(input) ?? [];
    if (paragraph === undefined || question === undefined) continue;
    const right = (target[0] ?? '').match(/\d+/g)?.map((number) => Number(number) - 1) ?? [];
    byText.set(paragraph, [...(byText.get(paragraph) ?? []), { text: question.replace(/\s*\?\s*\.?$/, '?'), right }]);
  }
  return spread([...byText], films).map(([paragraph, asked], number) => {
    const texts = paragraph.split(/\s*Sent \d+: /).filter((text) => text.trim() !== '');
    const sound = asked.filter(({ right }) => right.length > 0 && right.every((at) => at < texts.length));
    return {
      name: `multirc ${number}`,
      lines: linesOf(
        texts.map((text) => text.trim()),
        'speech',
        'speech',
      ),
      questions: spread(sound, questions),
    };
  });
}

const SEGMENTER = new Intl.Segmenter('en', { granularity: 'sentence' });
/** A piece this short is an abbreviation's end, not a sentence. */
const SHORTEST = 15;

/** Sentences with their places in the text; the last is open to its end. */
function sentencesOf(text: string): { readonly text: string; readonly start: number; readonly end: number }[] {
  const found: { start: number; end: number }[] = [];
  for (const { index, segment } of SEGMENTER.segment(text)) {
    const last = found.at(-1);
    if (last && last.end - last.start < SHORTEST) last.end = index + segment.length;
    else found.push({ start: index, end: index + segment.length });
  }
  return found
    .map(({ start, end }) => ({ text: text.slice(start, end).trim(), start, end }))
    .filter(({ text }) => text);
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.floor(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}

/** So many of them, evenly spread. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items];
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)] as T);
}
