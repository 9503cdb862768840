/**
 * A model hub on two local ports, as the public one behaves: descriptions and small files come from the first, large files are
 * redirected to a "CDN" on the second with a signed link that runs out. Faults are injected per request.
 */

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HubFile {
  readonly bytes: Buffer;
  /** Kept as a large file: listed with its SHA-256 and served by the CDN. */
  readonly large: boolean;
}

export interface HubRequest {
  readonly server: 'hub' | 'cdn';
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly acceptEncoding: string | undefined;
}

export interface Fault {
  /** Answers with this status instead. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Closes the connection after so many bytes of the body. */
  readonly cutAfter?: number;
  /** Sends so many bytes of the body and then nothing more, with the line open. */
  readonly hangAfter?: number;
  /** Answers a range with the whole file. */
  readonly ignoreRange?: boolean;
  /** Serves these bytes in place of the file's. */
  readonly bytes?: Buffer;
  /** In place of the content's own; `null` for none. */
  readonly etag?: string | null;
  /** Continues a range although `If-Range` names another content. */
  readonly ignoreIfRange?: boolean;
  /** Claims that its range starts here. */
  readonly claimedStart?: number;
  /** Does not say how many bytes come, so that an early end looks like the end. */
  readonly chunked?: boolean;
}

export interface FakeRepo {
  sha: string;
  cardData?: unknown;
  /** Commit → path → file. */
  readonly commits: Map<string, ReadonlyMap<string, HubFile>>;
  /** Token that may read it. */
  token?: string;
  gated?: boolean;
}

export class FakeHub {
  readonly repos = new Map<string, FakeRepo>();
  readonly requests: HubRequest[] = [];
  /** Decides what goes wrong with a request. */
  fault: (request: HubRequest) => Fault | undefined = () => undefined;
  /** Entries of a list of files per page. */
  pageSize = 1000;
  /** Puts into lists of files whatever a test wants. */
  listing: (entries: unknown[]) => unknown[] = (entries) => entries;

  private constructor(
    private readonly hub: Server,
    private readonly cdn: Server,
  ) {}

  static async start(): Promise<FakeHub> {
    const hub = createServer((request, response) => fake.#serveHub(request, response));
    const cdn = createServer((request, response) => fake.#serveCdn(request, response));
    const fake = new FakeHub(hub, cdn);
    await Promise.all([hub, cdn].map((server) => new Promise<void>((up) => server.listen(0, '127.0.0.1', up))));
    return fake;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.hub.address() as AddressInfo).port}`;
  }

  get cdnHost(): string {
    return `127.0.0.1:${(this.cdn.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    for (const server of [this.hub, this.cdn]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  /** Puts a repository at a commit made of its files' names and contents. */
  put(name: string, files: Readonly<Record<string, HubFile>>, cardData?: unknown): FakeRepo {
    const map = new Map(Object.entries(files));
    const all = [...map].map(([path, { bytes }]) => path + sha256(bytes)).join();
    const sha = createHash('sha1').update(all).digest('hex');
    const repo: FakeRepo = this.repos.get(name) ?? { sha, commits: new Map() };
    repo.sha = sha;
    repo.commits.set(sha, map);
    if (cardData !== undefined) repo.cardData = cardData;
    this.repos.set(name, repo);
    return repo;
  }

  /** Requests for the bytes of `path`, the CDN's if it is a large file. */
  downloads(path: string): HubRequest[] {
    return this.requests.filter(
      (request) => request.path.endsWith(`/${path}`) && (request.server === 'cdn' || !this.#isLarge(path)),
    );
  }

  #isLarge(path: string): boolean {
    return [...this.repos.values()].some((repo) => [...repo.commits.values()].some((files) => files.get(path)?.large));
  }

  #serveHub(request: IncomingMessage, response: ServerResponse): ServerResponse {
    const url = new URL(request.url ?? '/', this.endpoint);
    const fault = this.fault(this.#note('hub', request, url)) ?? {};
    if (fault.status !== undefined) return refuse(response, fault.status, fault.headers);
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(url.pathname);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
    const [, name = '', what, revision = ''] = api ?? resolve ?? [];
    const repo = this.repos.get(name);
    if (!repo) return refuse(response, 401, { 'x-error-code': 'RepoNotFound' });
    if (repo.token !== undefined && request.headers.authorization !== `Bearer ${repo.token}`)
      return refuse(response, repo.gated ? 403 : 401, repo.gated ? { 'x-error-code': 'GatedRepo' } : {});

    const asked = decodeURIComponent(api ? revision : (what ?? ''));
    const commit = asked === 'main' ? repo.sha : asked;
    const files = repo.commits.get(commit);
    if (!files) return refuse(response, 404, { 'x-error-code': 'RevisionNotFound' });
    if (what === 'revision') return sendJson(response, { id: name, sha: commit, cardData: repo.cardData });
    if (what === 'tree') return this.#sendTree(response, url, files);

    const path = decodeURIComponent(resolve?.[3] ?? '');
    const file = files.get(path);
    if (!file) return refuse(response, 404, { 'x-error-code': 'EntryNotFound' });
    response.setHeader('x-repo-commit', fault.headers?.['x-repo-commit'] ?? commit);
    if (!file.large) return sendBytes(request, response, file, fault);
    const location = `http://${this.cdnHost}/${name}/${commit}/${path}?signature=secret`;
    response.writeHead(302, { location, 'x-linked-etag': `"${sha256(file.bytes)}"` });
    return response.end(`Found. Redirecting to ${location}`);
  }

  #serveCdn(request: IncomingMessage, response: ServerResponse): ServerResponse {
    const url = new URL(request.url ?? '/', `http://${this.cdnHost}`);
    const fault = this.fault(this.#note('cdn', request, url)) ?? {};
    if (fault.status !== undefined) return refuse(response, fault.status, fault.headers);
    const [, owner, name, commit = '', ...path] = url.pathname.split('/');
    const file = this.repos.get(`${owner}/${name}`)?.commits.get(commit)?.get(path.join('/'));
    if (!file || url.searchParams.get('signature') !== 'secret') return refuse(response, 403);
    return sendBytes(request, response, file, fault);
  }

  #sendTree(response: ServerResponse, url: URL, files: ReadonlyMap<string, HubFile>): ServerResponse {
    const entries = this.listing([...files].map(([path, file]) => treeEntry(path, file)));
    const from = Number(url.searchParams.get('cursor') ?? 0);
    const to = from + this.pageSize;
    // As a mirror may: the link names the original's host.
    const next = `<http://original.invalid${url.pathname}?recursive=true&cursor=${to}>; rel="next"`;
    if (to < entries.length) response.setHeader('link', next);
    return sendJson(response, entries.slice(from, to));
  }

  #note(server: 'hub' | 'cdn', request: IncomingMessage, url: URL): HubRequest {
    const { authorization, range } = request.headers;
    const ifRange = request.headers['if-range'] as string | undefined;
    const acceptEncoding = request.headers['accept-encoding'] as string | undefined;
    const noted = { server, path: decodeURIComponent(url.pathname), authorization, range, ifRange, acceptEncoding };
    this.requests.push(noted);
    return noted;
  }
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function gitBlobSha1(bytes: Buffer): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function treeEntry(path: string, { bytes, large }: HubFile): unknown {
  const pointer = Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${sha256(bytes)}\n`);
  return {
    type: 'file',
    path,
    size: bytes.length,
    oid: gitBlobSha1(large ? pointer : bytes),
    ...(large ? { lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: pointer.length } } : {}),
  };
}

function sendBytes(request: IncomingMessage, response: ServerResponse, file: HubFile, fault: Fault): ServerResponse {
  const bytes = fault.bytes ?? file.bytes;
  const own = fault.bytes || file.large ? `"${sha256(bytes).slice(0, 32)}"` : `"${gitBlobSha1(bytes)}"`;
  const etag = fault.etag === undefined ? own : fault.etag;
  if (etag !== null) response.setHeader('etag', etag);
  response.setHeader('accept-ranges', 'bytes');
  const ifRange = request.headers['if-range'];
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1];
  const ranged =
    asked !== undefined && !fault.ignoreRange && (ifRange === undefined || fault.ignoreIfRange || ifRange === etag);
  const start = ranged ? Number(asked) : 0;
  if (start > 0 && start >= bytes.length) {
    return response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
  }
  const body = bytes.subarray(start);
  if (ranged)
    response.setHeader('content-range', `bytes ${fault.claimedStart ?? start}-${bytes.length - 1}/${bytes.length}`);
  if (!fault.chunked) response.setHeader('content-length', body.length);
  response.writeHead(ranged ? 206 : 200);
  if (fault.cutAfter !== undefined && fault.chunked) response.end(body.subarray(0, fault.cutAfter));
  else if (fault.cutAfter !== undefined) response.write(body.subarray(0, fault.cutAfter), () => response.destroy());
  else if (fault.hangAfter !== undefined) response.write(body.subarray(0, fault.hangAfter));
  else response.end(body);
  return response;
}

function sendJson(response: ServerResponse, value: unknown): ServerResponse {
  response.setHeader('content-type', 'application/json');
  return response.end(JSON.stringify(value));
}

function refuse(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): ServerResponse {
  return response.writeHead(status, { ...headers }).end('{"error":"refused"}');
}
