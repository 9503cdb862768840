/** The house as it is drawn in docs/design.md: imports flow one way, and one file knows each library. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../', import.meta.url));

interface Source {
  /** Relative to the root, with `/`. */
  readonly file: string;
  readonly text: string;
  /** Import specifiers; relative ones as files relative to the root. */
  readonly imports: readonly string[];
}

const sources: Source[] = ['src', 'ingest', 'index', 'api'].flatMap((folder) =>
  (readdirSync(path.join(root, folder), { recursive: true }) as string[])
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
    .map((name) => read(path.posix.join(folder, name.split(path.sep).join('/')))),
);

function read(file: string): Source {
  const text = readFileSync(path.join(root, file), 'utf8');
  const found = [
    ...text.matchAll(
      /(?:^|\n)(?:import|export)\b[^;'"]*?from\s*'([^']+)'|(?:^|\n)import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g,
    ),
  ];
  const imports = found.map((match) => match[1] ?? match[2] ?? match[3] ?? '');
  return {
    file,
    text,
    imports: imports.map((name) =>
      name.startsWith('.') ? path.posix.join(path.posix.dirname(file), name).replace(/\.js$/, '.ts') : name,
    ),
  };
}

/** Floors of the house, lowest first. A file imports from its own floor and from those below. */
const FLOORS: readonly (readonly string[])[] = [
  [
    'src/awaitable.ts',
    'src/look-request.ts',
    'src/time.ts',
    'src/errors.ts',
    'src/event.ts',
    'src/clean-text.ts',
    'src/json-value.ts',
    'src/profile.ts',
    'src/tag.ts',
    'src/layer-name.ts',
    'src/library-address.ts',
    'src/failpoint.ts',
    'src/process.ts',
    'src/settings.ts',
    'src/config.ts',
    'src/thread.ts',
    'src/tokenizer-file.ts',
    'src/version.ts',
  ],
  ['ingest/'],
  [
    'src/backend.ts',
    'src/model.ts',
    'src/tasks/',
    'src/remote/',
    'src/weights/',
    'src/onnx/',
    'src/qwen/',
    'src/clip/',
    'src/layers/',
    'src/meaning/',
  ],
  ['index/'],
  [
    'src/event-pool.ts',
    'src/film-clock.ts',
    'src/picture-ring.ts',
    'src/ingest-progress.ts',
    'src/in-order.ts',
    'src/window-meaning.ts',
    'src/window-attempt.ts',
    'src/window-pictures.ts',
    'src/window-write.ts',
    'src/shared-windows.ts',
    'src/video-record.ts',
    'src/ask.ts',
    'src/follow-up.ts',
    'src/reported.ts',
    'src/look.ts',
    'src/picture-search.ts',
    'src/stretch.ts',
    'src/snapping.ts',
    'src/closer-look.ts',
    'src/grounded-search.ts',
    'src/video-summary.ts',
    'src/read-layers.ts',
    'src/layers-beside.ts',
    'src/ingest-layers.ts',
    'src/renewal.ts',
    'src/standing-queries/',
    'src/pipeline.ts',
    'src/shared-ingest.ts',
    'src/estimate.ts',
  ],
  ['api/'],
  [
    'src/chosen-model.ts',
    'src/chosen-embedder.ts',
    'src/chosen-pictures.ts',
    'src/chosen-layers.ts',
    'src/chosen-waker.ts',
    'src/shared-layers.ts',
    'src/parts.ts',
    'src/main.ts',
    'src/doctor.ts',
  ],
  ['src/eval/'],
  ['src/cli/'],
];

function floorOf(file: string): number {
  return FLOORS.findIndex((floor) =>
    floor.some((room) => (room.endsWith('/') ? file.startsWith(room) : file === room)),
  );
}

/** The only file, or folder where a library needs several, that may import a package. */
const KEEPERS: Readonly<Record<string, readonly string[]>> = {
  '@hono/node-server': ['api/server.ts'],
  '@huggingface/jinja': ['src/qwen/chat-template.ts'],
  '@huggingface/tokenizers': ['src/tokenizer-file.ts'],
  '@modelcontextprotocol/server': ['api/mcp/endpoint.ts'],
  '@jsquash/jpeg': ['src/remote/jpeg.ts'],
  aws4fetch: ['ingest/objects/s3-requests.ts'],
  'better-sqlite3': ['index/store/database.ts'],
  commander: ['src/cli/'],
  'hnswlib-node': ['index/vectors/hnsw.ts'],
  'media-captions': ['src/layers/subtitles/caption-file.ts'],
  'onnxruntime-node': ['src/onnx/runtime-session.ts'],
  'pg-boss': ['index/postgres/boss-waker.ts'],
  'p-queue': ['ingest/jobs/queue.ts'],
  pg: ['index/postgres/pool.ts'],
  pino: ['src/cli/log.ts'],
  zod: ['src/settings.ts', 'src/eval/annotations.ts'],
  hono: ['api/hono.ts', 'api/client.ts'],
  '@hono/zod-openapi': ['api/hono.ts'],
};

describe('the house', () => {
  it('has a floor for every file', () => {
    expect(sources.filter(({ file }) => floorOf(file) < 0).map(({ file }) => file)).toEqual([]);
    expect(sources.length).toBeGreaterThan(50);
  });

  it('lets imports flow one way', () => {
    const upward = sources.flatMap(({ file, imports }) =>
      imports
        .filter((target) => target.endsWith('.ts') && floorOf(target) > floorOf(file))
        .map((target) => `${file} -> ${target}`),
    );
    expect(upward).toEqual([]);
  });

  it('keeps each library in one place', () => {
    const strangers = sources.flatMap(({ file, imports }) =>
      imports
        .filter((name) => !name.startsWith('node:') && !name.endsWith('.ts'))
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter(
          (name) => !KEEPERS[name]?.some((place) => (place.endsWith('/') ? file.startsWith(place) : file === place)),
        )
        .map((name) => `${file} imports ${name}`),
    );
    expect(strangers).toEqual([]);
  });

  it('reads the environment in the configuration only', () => {
    expect(
      sources
        .filter(({ file, text }) => file !== 'src/config.ts' && text.includes('process.env'))
        .map(({ file }) => file),
    ).toEqual([]);
  });

  it('has no import cycle', () => {
    const byFile = new Map(sources.map((source) => [source.file, source]));
    const state = new Map<string, 'open' | 'done'>();
    const cycles: string[] = [];
    const visit = (file: string, trail: readonly string[]) => {
      if (state.get(file) === 'done') return;
      if (state.get(file) === 'open') {
        cycles.push([...trail.slice(trail.indexOf(file)), file].join(' -> '));
        return;
      }
      state.set(file, 'open');
      const source = byFile.get(file);
      // Types vanish when compiled, so only imports of values can close a cycle.
      for (const target of source ? valueImports(source) : []) visit(target, [...trail, file]);
      state.set(file, 'done');
    };
    for (const { file } of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });
});

function valueImports({ file, text }: Source): string[] {
  return [...text.matchAll(/(?:^|\n)(?:import|export)\s+(?!type\b)[^;'"]*?from\s*'(\.[^']+)'/g)].map((match) =>
    path.posix.join(path.posix.dirname(file), match[1] ?? '').replace(/\.js$/, '.ts'),
  );
}
