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
