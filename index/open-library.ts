/** Opens a library where it lies. Only the engine that is asked for is loaded. */

import { isPostgresAddress } from '../src/library-address.js';
import type { Library } from './library.js';

export interface LibraryPlace {
  /** Folder, or `postgres://…`. */
  readonly library: string;
  /** Folder for what belongs to this machine alone. */
  readonly state: string;
}

export interface OpenOptions {
  /** Make a library that is not there; a database itself must be there. @default false */
  readonly create?: boolean;
  /** @default false */
  readonly readonly?: boolean;
}

/** @throws {LongwatchError} as `openLibrary` of SQLite and `openPostgresLibrary` */
export async function openLibrary({ library, state }: LibraryPlace, options: OpenOptions = {}): Promise<Library> {
  if (isPostgresAddress(library)) {
    const { openPostgresLibrary } = await import('./postgres/postgres-library.js');
    return openPostgresLibrary(library, { ...options, state });
  }
  const { openLibrary } = await import('./store/sqlite-library.js');
  return openLibrary(library, options);
}
