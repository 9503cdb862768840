/** Which server a question goes to first: always the same one for the same pictures, and as many questions to each as it has places. */

import { createHash } from 'node:crypto';
import type { BackendRequest } from '../backend.js';

/**
 * What two questions share whose prompts begin alike: the first picture, else the first words. A server that has read a prompt keeps the states of
 * its beginning and the encodings of its pictures; another question about the same window is then answered sooner there. Other windows of the
 * same video begin with other pictures, so they are spread.
 */
export function beginningOf({ system, parts }: BackendRequest): string {
  const hash = createHash('sha256').update(system ?? '');
  const [first] = parts;
  if (first?.kind === 'text') hash.update(first.text);
  if (first?.kind === 'image') hash.update(first.picture.rgb);
  if (first?.kind === 'video' && first.pictures[0]) hash.update(first.pictures[0].rgb);
  return hash.digest('hex');
}

/**
 * Weighted rendezvous hashing (highest random weight; Thaler and Ravishankar 1998, with the logarithmic weights of Schindelhauer and Schomaker
 * 2005): the order of one key changes only where a node comes or goes.
 */
export function rendezvousOrder<T extends { readonly name: string; readonly concurrency: number }>(
  key: string,
  nodes: readonly T[],
): T[] {
  const scored = nodes.map((node) => ({ node, score: node.concurrency / -Math.log(fraction(`${key}\n${node.name}`)) }));
  return scored.sort((a, b) => b.score - a.score).map(({ node }) => node);
}

/** Uniform in (0, 1). */
function fraction(text: string): number {
  const bytes = createHash('sha256').update(text).digest();
  return (bytes.readUIntBE(0, 6) + 0.5) / 2 ** 48;
}
