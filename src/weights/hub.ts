/**
 * The public model hub, or a mirror that speaks as it does: which commit a revision is, which files it has, and their bytes.
 * Plain HTTP over three documented addresses; what comes back is checked before it is believed.
 */

import { LongwatchError } from '../errors.js';
import { ContentHash } from './content-hash.js';
import type { HttpAnswer, HttpClient } from './http-client.js';
import type { LicenceClaim } from './licence.js';
import { PassingFailure, type RetryPolicy, withRetries } from './retry.js';
import type { CheckpointSource } from './source.js';

/** Where checkpoints come from unless another endpoint is given; mirrors have the same addresses below theirs. */
export const DEFAULT_ENDPOINT = 'https://huggingface.co';

/** A list of files or a model's description is far smaller. */
const JSON_MAX_BYTES = 8 * 2 ** 20;
/** Pages of a list, 1000 files each on the public hub. */
const MAX_PAGES = 20;
const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

/** A revision as it stood when it was asked about. */
export interface ResolvedRevision {
  /** Hash that names exactly these files, for ever. */
  readonly commit: string;
  readonly licence: LicenceClaim;
}

/** A file of a commit. */
export interface RemoteFile {
  readonly path: string;
  readonly bytes: number;
  readonly hash: ContentHash;
}

export class Hub {
  constructor(
    private readonly http: HttpClient,
    private readonly retry: RetryPolicy,
  ) {}

  /** @throws {LongwatchError} `not_found`, `unauthorized`, `forbidden`, `overloaded`, `download_failed`, `cancelled` */
  async resolve({ repo, revision }: CheckpointSource, signal?: AbortSignal): Promise<ResolvedRevision> {
    const path = `/api/models/${repo}/revision/${encodeURIComponent(revision)}`;
    const { json } = await this.#json(path, signal);
    const { sha, cardData } = asObject(json);
    if (typeof sha !== 'string' || !COMMIT.test(sha)) throw this.#strange(`names no commit for ${repo}@${revision}`);
    const card = asObject(cardData);
    return {
      commit: sha,
      licence: {
        ...optionalText('license', firstText(card.license)),
        ...optionalText('licenseName', firstText(card.license_name)),
        baseModels: texts(card.base_model),
      },
    };
  }

  /** Every file of a commit. @throws {LongwatchError} as `resolve` does; `bad_weights` for a name that leads out of the folder */
  async files(repo: string, commit: string, signal?: AbortSignal): Promise<RemoteFile[]> {
    const files: RemoteFile[] = [];
    const base = `/api/models/${repo}/tree/${commit}`;
    let query = '?recursive=true';
    for (let page = 0; page < MAX_PAGES; page++) {
      const { json, headers } = await this.#json(base + query, signal);
      if (!Array.isArray(json)) throw this.#strange(`lists no files for ${repo}`);
      for (const entry of json) {
        const { type, path } = asObject(entry);
        if (type === 'directory') continue;
        files.push(this.#file(repo, path, asObject(entry)));
      }
      const next = nextPage(headers.get('link'));
      if (next === undefined) return files;
      query = next;
    }
    throw this.#strange(`lists files of ${repo} without end`);
  }

  /**
   * The bytes of a file from `offset` on. The caller looks at the status: 200 starts from the first byte whatever was asked.
   * @param validator ETag of the bytes before `offset`; the server then answers 200 if the file is another one
   * @throws {PassingFailure} or {LongwatchError}, as `HttpClient.get`; `conflict` when the file comes from another commit
   */
  async open(
    repo: string,
    commit: string,
    path: string,
    {
      offset = 0,
      validator,
      signal,
    }: { offset?: number; validator?: string | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<HttpAnswer> {
    const headers: Record<string, string> = {};
    if (offset > 0) headers.range = `bytes=${offset}-`;
    if (offset > 0 && validator !== undefined) headers['if-range'] = validator;
    const escaped = path.split('/').map(encodeURIComponent).join('/');
    const answer = await this.http.get(`/${repo}/resolve/${commit}/${escaped}`, headers, signal);
    const served = answer.endpointHeaders.get('x-repo-commit');
    if (served === null || served === commit) return answer;
    answer.drop();
    throw new LongwatchError('conflict', `${path} comes from commit ${served}, but ${commit} was asked for.`, {
      hint: 'The repository changed while it was fetched, or the mirror is not in step: pull again.',
    });
  }

  /** A small file as text. @throws as `open`; `bad_weights` when it is longer than listed or its hash is wrong */
  async text(repo: string, commit: string, file: RemoteFile, signal?: AbortSignal): Promise<string> {
    return withRetries(this.retry, signal, async () => {
      const body = await readAll(await this.open(repo, commit, file.path, { signal }), JSON_MAX_BYTES);
      const hasher = file.hash.start(body.length);
      hasher.update(body);
      if (body.length === file.bytes && hasher.digest() === file.hash.value) return body.toString('utf8');
      // Read again like a dropped line: a proxy's error page may have come in its place.
      throw new PassingFailure(
        new LongwatchError('bad_weights', `${file.path} is not the file that is listed.`, {
          hint: 'Pull again, or from another endpoint.',
        }),
      );
    });
  }

  async #json(path: string, signal?: AbortSignal): Promise<{ json: unknown; headers: Headers }> {
    return withRetries(this.retry, signal, async () => {
      const answer = await this.http.get(path, { accept: 'application/json' }, signal);
      const body = await readAll(answer, JSON_MAX_BYTES);
      try {
        return { json: JSON.parse(body.toString('utf8')), headers: answer.headers };
      } catch {
        throw this.#strange('does not answer with JSON');
      }
    });
  }

  #file(repo: string, path: unknown, entry: Record<string, unknown>): RemoteFile {
    if (typeof path !== 'string' || !staysInside(path)) {
      throw new LongwatchError('bad_weights', `${repo} lists a file name that leads out of its folder.`, {
        hint: 'Do not use this repository.',
      });
    }
    const { oid, size, lfs } = entry;
    const large = asObject(lfs);
    // A large file's own `oid` is that of a pointer to it.
    const hash: ContentHash | undefined =
      typeof large.oid === 'string' && SHA256.test(large.oid)
        ? ContentHash.sha256(large.oid)
        : lfs === undefined && typeof oid === 'string' && COMMIT.test(oid)
          ? ContentHash.gitBlob(oid)
          : undefined;
    if (!hash || typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
      throw this.#strange(`gives no hash or size for ${repo}/${path.slice(0, 100)}`);
    return { path, bytes: size, hash };
  }

  #strange(what: string): LongwatchError {
    return new LongwatchError('download_failed', `${this.http.endpoint} ${what}.`, {
      hint: 'Check the endpoint: it has to speak as the public model hub does.',
    });
  }
}

async function readAll(answer: HttpAnswer, maxBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of answer.body) {
    length += piece.length;
    if (length > maxBytes)
      throw new LongwatchError('download_failed', `An answer of the hub is longer than ${maxBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** The query of the next page. Only the query is taken: a mirror may name the original's host. */
function nextPage(link: string | null): string | undefined {
  const address = /<([^>]+)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (address === undefined || !URL.canParse(address, 'http://relative.invalid')) return undefined;
  return new URL(address, 'http://relative.invalid').search || undefined;
}

function staysInside(path: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (path === '' || path.startsWith('/') || /[\\\x00-\x1f]|^[A-Za-z]:/.test(path)) return false;
  return path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** Cards hold one text or a list of them. */
function texts(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((item): item is string => typeof item === 'string');
}

function firstText(value: unknown): string | undefined {
  return texts(value)[0]?.slice(0, 100);
}

function optionalText<K extends string>(key: K, value: string | undefined): { readonly [P in K]?: string } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: string });
}
