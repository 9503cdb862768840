/** How fast this machine is at the work itself: one film read for real, then searched. Compare `estimate`, which tries the beginning of a file of yours. */

import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { loadConfig } from '../../config.js';
import { type Engine, openEngine } from '../../main.js';
import { formatTime, type Milliseconds } from '../../time.js';
import { VERSION } from '../../version.js';
import { profileOption, type ReadingOptions, verb, withSignal } from '../command.js';
import { placeFilm } from '../demo/film.js';
import { ProgressLine } from '../progress.js';
import { EXIT, table } from '../terminal.js';

/** Asked in turn. The first round loads what a search needs, and does not count. */
const QUESTIONS = ['something falls on an animal', 'running water', 'open movie', 'fade from black', 'two cars race'];
const ROUNDS = 10;

export const benchCommand = verb('bench', 'how fast this machine reads a film and searches it, measured', 'settings')
  .argument('[file]', 'a video (default: the 30 seconds of film that come along)')
  .addOption(profileOption())
  .action((given: string | undefined, options: ReadingOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const folder = await mkdtemp(path.join(os.tmpdir(), 'longwatch-bench-'));
      const settings = { library: path.join(folder, 'library'), config: options.config, profile: options.profile };
      const engine = await openEngine(loadConfig(settings), { create: true });
      try {
        const file = given ?? (await placeFilm(folder));
        const progress = new ProgressLine(terminal, path.basename(file));
        const { video, took, parts } = await engine.ingest(file, { signal, onProgress: (step) => progress.show(step) });
        progress.end();
        const { duration } = video;
        const asked = await searchTimes(engine, signal);
        const peak = process.resourceUsage().maxRSS * 1024;
        const machine = `${os.cpus().length} x ${os.cpus()[0]?.model.trim() ?? 'an unknown processor'}`;
        const decoder = await (await engine.decoder()).version();
        terminal.document({
          version: VERSION,
          machine: { processors: machine, memory_bytes: os.totalmem(), node: process.versions.node, decoder },
          video: { title: video.title, duration_s: duration, width: video.width, height: video.height },
          ingest: { took_ms: Math.round(took), speed_x: speed(duration, took) },
          parts: parts.map((part) => ({
            name: part.name,
            took_ms: Math.round(part.took),
            speed_x: speed(duration, part.took),
            ...(part.beside && { beside: part.beside }),
          })),
          search: { count: asked.length, p50_ms: quantile(asked, 0.5), p95_ms: quantile(asked, 0.95) },
          peak_memory_bytes: peak,
        });
        terminal.line(`Longwatch ${VERSION} on ${machine}, Node ${process.versions.node}, ${decoder}`);
        terminal.line(`${video.title}: ${formatTime(duration)}, ${video.width} x ${video.height}`);
        const rows = [{ name: 'all of it', took }, ...parts].map((part) => [
          'beside' in part ? `${part.name}, beside ${part.beside}` : part.name,
          `${(part.took / 1000).toFixed(2)} s`,
          `${speed(duration, part.took)}x realtime`,
        ]);
        rows.push(['search', `${quantile(asked, 0.5)} ms`, `95 of 100 within ${quantile(asked, 0.95)} ms`]);
        rows.push(['memory', `${Math.round(peak / 1e6)} MB`, 'the most that was resident']);
        for (const row of table(rows)) terminal.line(row);
        return EXIT.done;
      } finally {
        await engine.close();
        await rm(folder, { recursive: true, force: true });
      }
    }),
  );

async function searchTimes(engine: Engine, signal: AbortSignal): Promise<Milliseconds[]> {
  const times: Milliseconds[] = [];
  for (let round = 0; round <= ROUNDS; round++)
    for (const query of QUESTIONS) {
      const { took } = await engine.searcher.search({ query }, signal);
      if (round > 0) times.push(took);
    }
  return times.sort((a, b) => a - b);
}

/** @param sorted ascending, not empty */
function quantile(sorted: readonly Milliseconds[], share: number): number {
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return Math.round(value * 10) / 10;
}

function speed(duration: number, took: Milliseconds): number {
  return Math.round((duration / (took / 1000)) * 100) / 100;
}
