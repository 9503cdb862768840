/** What a watch tells of what it finds and does. */

import type { StoredError } from '../../src/errors.js';
import type { JobRecord } from '../jobs/job.js';

export type WatchEvent =
  | { readonly kind: 'queued'; readonly path: string; readonly job: JobRecord }
  | { readonly kind: 'moved'; readonly path: string; readonly from: string; readonly videoId: string }
  | { readonly kind: 'copy'; readonly path: string; readonly of: string; readonly videoId: string }
  | { readonly kind: 'back' | 'missing'; readonly path: string; readonly videoId: string }
  /** A known one lies where a rule puts these tags on it. */
  | { readonly kind: 'tagged'; readonly path: string; readonly videoId: string; readonly tags: readonly string[] }
  /** Not taken yet. */
  | { readonly kind: 'waiting'; readonly path: string; readonly why: string }
  /** A place cannot be listed to its end, so nothing that lies there is called missing; said once for each reason. */
  | { readonly kind: 'unlisted'; readonly place: string; readonly error: StoredError }
  /** It could not, and can again. */
  | { readonly kind: 'listed'; readonly place: string }
  /** What could not be looked at or is refused; each said once. */
  | { readonly kind: 'remark'; readonly text: string };

/** Passes events on, and remarks once for what they are about. */
export class Teller {
  readonly #said = new Set<string>();

  constructor(private readonly onEvent: ((event: WatchEvent) => void) | undefined) {}

  tell(event: WatchEvent): void {
    this.onEvent?.(event);
  }

  remark(about: string, text: string): void {
    if (this.#said.has(about)) return;
    this.#said.add(about);
    this.tell({ kind: 'remark', text });
  }

  /** It is over; if it comes again it is said again. */
  forget(about: string): void {
    this.#said.delete(about);
  }
}
