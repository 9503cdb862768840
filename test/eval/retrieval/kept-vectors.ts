/** An embedder that remembers on disk what it has embedded, so that an evaluation that is run again asks the model nothing. */

import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Embedder } from '../../../src/meaning/embedder.js';

const KEY_BYTES = 16;

/** @param folder one file per embedder lies in it */
export async function keepingVectors(embedder: Embedder, folder: string): Promise<Embedder> {
  await mkdir(folder, { recursive: true });
  const file = path.join(folder, `${embedder.id}.vectors`);
  const rowBytes = KEY_BYTES + 4 * embedder.dim;
  const known = new Map<string, Float32Array>();
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  for (let at = 0; at + rowBytes <= bytes.length; at += rowBytes) {
    const vector = new Float32Array(embedder.dim);
    for (let i = 0; i < embedder.dim; i++) vector[i] = bytes.readFloatLE(at + KEY_BYTES + 4 * i);
    known.set(bytes.toString('hex', at, at + KEY_BYTES), vector);
  }
  return {
    ...{ id: embedder.id, dim: embedder.dim, scale: embedder.scale },
    close: () => embedder.close(),
    async embed(texts, signal) {
      const keys = texts.map((text) =>
        createHash('sha256')
          .update(text)
          .digest('hex')
          .slice(0, 2 * KEY_BYTES),
      );
      const missing = [...new Set(texts.filter((_, i) => !known.has(keys[i] ?? '')))];
      const made = missing.length === 0 ? [] : await embedder.embed(missing, signal);
      const rows: Buffer[] = [];
      made.forEach((vector, i) => {
        const key = createHash('sha256')
          .update(missing[i] ?? '')
          .digest('hex')
          .slice(0, 2 * KEY_BYTES);
        known.set(key, vector);
        rows.push(Buffer.from(key, 'hex'), Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength));
      });
      if (rows.length > 0) await appendFile(file, Buffer.concat(rows));
      return keys.map((key) => known.get(key) as Float32Array);
    },
  };
}
