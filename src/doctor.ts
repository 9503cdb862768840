/** What is installed, what is used, what is missing and how to get it. Lines are tried, not looked up; where trying would take gigabytes it is said. */

import { accessSync, constants } from 'node:fs';
import path from 'node:path';
import { openLibrary } from '../index/open-library.js';
import { findHnsw } from '../index/vectors/hnsw.js';
import { GRAPH_FROM_ROWS } from '../index/vectors/vector-search.js';
import { chooseDecoder } from '../ingest/video/choose.js';
import { openChosenLayers } from './chosen-layers.js';
import { installedModel, openRemote } from './chosen-model.js';
import type { Config } from './config.js';
import { toLongwatchError } from './errors.js';
import { isPostgresAddress, publicAddress } from './library-address.js';
import { openMiniLm } from './meaning/minilm.js';
import { LAYERS } from './parts.js';
import { formatTime } from './time.js';
import { VERSION } from './version.js';

export interface Finding {
  readonly name: string;
  /** `missing`: optional and not there. `broken`: there or needed, and does not work. */
  readonly state: 'ok' | 'unused' | 'missing' | 'broken';
  readonly detail: string;
  /** How to get or mend it. */
  readonly hint?: string;
}

export async function examine(config: Config): Promise<Finding[]> {
  return [
    {
      name: 'longwatch',
      state: 'ok',
      detail: `${VERSION} on Node ${process.versions.node}, ${process.platform} ${process.arch}`,
    },
    ...(await decoders(config)),
    await meaning(config),
    ...(await layers(config)),
    await vectorIndex(),
    ...(await languageModel(config)),
    await library(config),
    await calls(config),
  ];
}

async function decoders(config: Config): Promise<Finding[]> {
  const used = await chooseDecoder({ kind: config.decoder, searchPath: config.searchPath }).catch(() => undefined);
  const findings: Finding[] = [];
  for (const kind of ['native', 'wasm'] as const) {
    const name = kind === 'native' ? 'decoder: native ffmpeg' : 'decoder: ffmpeg as WebAssembly';
    try {
      const decoder = await chooseDecoder({ kind, searchPath: config.searchPath });
      const version = await decoder.version();
      findings.push({
        name,
        state: kind === used?.id ? 'ok' : 'unused',
        detail: `${version}${kind === used?.id ? ', used' : ', not used'}`,
      });
    } catch (thrown) {
      const error = toLongwatchError(thrown);
      const state = error.code === 'part_missing' ? 'missing' : 'broken';
      findings.push({
        name,
        state: used ? state : 'broken',
        detail: error.message,
        ...(error.hint ? { hint: error.hint } : {}),
      });
    }
  }
  return findings;
}

async function meaning(config: Config): Promise<Finding> {
  const name = 'search by meaning';
  if (!config.meaning) return { name, state: 'unused', detail: 'switched off in the settings' };
  try {
    const embedder = await openMiniLm(config.threads === undefined ? {} : { threads: config.threads });
    const [vector] = await embedder.embed(['a test']);
    await embedder.close();
    return {
      name,
      state: vector?.length === embedder.dim ? 'ok' : 'broken',
      detail: `${embedder.id}, ${embedder.dim} dimensions`,
    };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    const model = error.code === 'part_missing' && !config.remote ? await installedModel(config).catch(() => '') : '';
    const instead =
      typeof model === 'string' || model.state === 'damaged'
        ? 'Search works by words.'
        : `The states of ${model.name} stand in, which takes longer; what their cosines say is found out on first use.`;
    return {
      name,
      state: error.code === 'part_missing' ? 'missing' : 'broken',
      detail: `${error.message} ${instead}`,
      ...(error.hint ? { hint: error.hint } : {}),
    };
  }
}

/** Each layer that the profile runs: its weights are found and their contents checked, as an ingest does first. Loading them waits for a video. */
async function layers(config: Config): Promise<Finding[]> {
  const chosen = await openChosenLayers(config, LAYERS);
  const findings = [
    ...chosen.layers.map(({ name, note }): Finding => ({ name: `layer: ${name}`, state: 'ok', detail: note })),
    ...Object.entries(chosen.missing).map(([name, { reason, error }]): Finding => {
      if (!error) return { name: `layer: ${name}`, state: 'unused', detail: reason };
      const { code, message, hint } = error;
      return {
        name: `layer: ${name}`,
        state: code === 'part_missing' ? 'missing' : 'broken',
        detail: message,
        ...(hint ? { hint } : {}),
      };
    }),
  ];
  for (const layer of chosen.layers) await layer.close();
  return findings;
}

/** A model of this machine is looked up, not opened: it may take gigabytes, and `longwatch models verify` opens it. Servers are asked how they are. */
async function languageModel(config: Config): Promise<Finding[]> {
  return config.remote ? modelServers(config.remote) : [await installed(config)];
}

async function modelServers(remote: NonNullable<Config['remote']>): Promise<Finding[]> {
  const name = 'language model';
  try {
    const backend = openRemote(remote);
    const servers = await backend.checkServers();
    await backend.close();
    return servers.map(({ url, model, healthy, problem, maxTokens, concurrency, models }) => {
      const server = `${model} on ${url}`;
      if (!healthy)
        return {
          name,
          state: 'broken',
          detail: `${server}: it ${problem ?? 'is not well'}`,
          hint: 'Check that it runs, its address and its key.',
        };
      const room = maxTokens === undefined ? '' : `, room for ${maxTokens} tokens`;
      // Some servers take any name.
      const unknown =
        models && !models.includes(model) ? `; it lists other models: ${models.slice(0, 5).join(', ')}` : '';
      return { name, state: 'ok', detail: `${server}, ${concurrency} questions at once${room}${unknown}` };
    });
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    return [{ name, state: 'broken', detail: error.message, ...(error.hint ? { hint: error.hint } : {}) }];
  }
}

async function installed(config: Config): Promise<Finding> {
  const name = 'language model';
  try {
    const model = await installedModel(config);
    if (typeof model === 'string') return { name, state: 'missing', detail: `${model} Windows have no captions.` };
    if (model.state === 'damaged') throw model.problem;
    return {
      name,
      state: 'ok',
      detail: `${model.name} (${model.manifest.dtype}, ${(model.bytes / 1e9).toFixed(2)} GB) in ${model.directory}`,
    };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    return { name, state: 'broken', detail: error.message, ...(error.hint ? { hint: error.hint } : {}) };
  }
}

async function vectorIndex(): Promise<Finding> {
  const name = 'vector index';
  const found = await findHnsw();
  if ('Graph' in found)
    return { name, state: 'ok', detail: `HNSW from ${GRAPH_FROM_ROWS} embeddings on, exact search below` };
  return {
    name,
    state: 'missing',
    detail: `${found.missing}; search is exact, and slower from about ${GRAPH_FROM_ROWS} embeddings on`,
    hint: 'npm install hnswlib-node (needs python3 and a C++ compiler).',
  };
}

async function library(config: Config): Promise<Finding> {
  const name = 'library';
  const place = publicAddress(config.library);
  try {
    const opened = await openLibrary(config, { create: false });
    const { videos, duration, events } = await opened.stats();
    const vectors = (await opened.vectorIndexStatus()).map(
      ({ rows, kind, reason }) => `${rows} embeddings searched by ${kind} (${reason})`,
    );
    await opened.close();
    return {
      name,
      state: 'ok',
      detail: [`${place}: ${videos} videos, ${formatTime(duration)}, ${events} events`, ...vectors].join('; '),
    };
  } catch (thrown) {
    const error = toLongwatchError(thrown);
    if (error.code !== 'library_not_found')
      return { name, state: 'broken', detail: error.message, ...(error.hint ? { hint: error.hint } : {}) };
    if (isPostgresAddress(config.library))
      return { name, state: 'unused', detail: `${error.message} The first ingest makes the tables.` };
    return writable(path.dirname(config.library))
      ? { name, state: 'unused', detail: `${config.library} does not exist yet; the first ingest makes it` }
      : { name, state: 'broken', detail: `${config.library} cannot be made: its folder is not writable` };
  }
}

/** Opened, it would make its tables; that waits for a worker. */
async function calls(config: Config): Promise<Finding> {
  const name = 'calls between workers';
  if (!isPostgresAddress(config.library))
    return { name, state: 'unused', detail: 'the processes of one machine look for jobs every 5 s' };
  const { findPgBoss } = await import('../index/postgres/boss-waker.js');
  const found = await findPgBoss();
  if ('open' in found) return { name, state: 'ok', detail: 'pg-boss; workers look every 5 s beside that' };
  return {
    name,
    state: 'missing',
    detail: `${found.missing}; workers look for jobs every 5 s, and nothing is lost by that`,
    hint: 'npm install pg-boss@10.4.2',
  };
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
