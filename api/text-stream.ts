/** Pieces of text as the body of a response. */

/** Characters that are gathered before a piece of a file goes out. */
const BATCH_CHARACTERS = 16 * 1024;

export interface TextStreamOptions {
  /** Every piece goes out at once, as a live stream needs. @default false (pieces are gathered into larger ones) */
  readonly eager?: boolean;
  /** Called when the client leaves, before the source is ended: wakes a source that is waiting. */
  readonly onCancel?: () => void;
}

/** UTF-8 of the pieces. Reads on only when the client takes more; ends the source when the client leaves. */
export function textStream(pieces: AsyncIterable<string>, options: TextStreamOptions = {}): ReadableStream<Uint8Array> {
  const source = pieces[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  const enough = options.eager ? 1 : BATCH_CHARACTERS;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        let text = '';
        let ended = false;
        while (text.length < enough && !ended) {
          const next = await source.next();
          if (next.done) ended = true;
          else text += next.value;
        }
        if (text !== '') controller.enqueue(encoder.encode(text));
        if (ended) controller.close();
      },
      async cancel() {
        options.onCancel?.();
        await source.return?.();
      },
    },
    { highWaterMark: 0 },
  );
}

/**
 * The pieces as one text, when there are at most so many characters; `rest` when there are more: all of them, those that were read
 * already included.
 */
export async function textBeginning(
  pieces: AsyncIterable<string>,
  characters: number,
): Promise<{ readonly text: string; readonly rest?: AsyncIterable<string> }> {
  const source = pieces[Symbol.asyncIterator]();
  let text = '';
  for (let next = await source.next(); !next.done; next = await source.next()) {
    text += next.value;
    if (text.length > characters) return { text, rest: goOn(text, source) };
  }
  return { text };
}

async function* goOn(text: string, source: AsyncIterator<string>): AsyncGenerator<string> {
  try {
    yield text;
    for (let next = await source.next(); !next.done; next = await source.next()) yield next.value;
  } finally {
    await source.return?.();
  }
}
