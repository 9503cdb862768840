/** Bytes that are known by length now and read later, piece by piece: how weights travel without being held. */

export interface ByteSource {
  readonly byteLength: number;
  /** Every byte in order. A chunk is valid only until the next one is asked for: the reader may use its buffer again. */
  chunks(): AsyncIterable<Uint8Array>;
}

export type Bytes = Uint8Array | ByteSource;

/**
 * Hands every byte to `write`, in order.
 * @throws {Error} when a source yields more or fewer bytes than it announced, since lengths are written before contents.
 */
export async function drain(bytes: Bytes, write: (chunk: Uint8Array) => void | Promise<void>): Promise<void> {
  if (bytes instanceof Uint8Array) {
    await write(bytes);
    return;
  }
  let total = 0;
  for await (const chunk of bytes.chunks()) {
    total += chunk.byteLength;
    if (total > bytes.byteLength) break;
    await write(chunk);
  }
  if (total !== bytes.byteLength)
    throw new Error(`A byte source announced ${bytes.byteLength} bytes and yielded ${total} or more.`);
}
