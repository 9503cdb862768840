/** What the command line says of the jobs that this process does: progress while one runs, a line when it has ended. */

import { performance } from 'node:perf_hooks';
import type { JobRecord } from '../../ingest/jobs/job.js';
import type { Engine } from '../main.js';
import { formatTime, type Milliseconds } from '../time.js';
import { ProgressLine } from './progress.js';
import { type Terminal, visible } from './terminal.js';

export class JobLines {
  readonly #engine: Engine;
  readonly #terminal: Terminal;
  readonly #running = new Map<string, { readonly line: ProgressLine; readonly since: Milliseconds }>();
  #printed: Promise<void> = Promise.resolve();
  readonly #leave: readonly (() => void)[];

  constructor({ engine, terminal }: { readonly engine: Engine; readonly terminal: Terminal }) {
    this.#engine = engine;
    this.#terminal = terminal;
    this.#leave = [
      engine.jobs.subscribe((job) => this.#show(job)),
      engine.jobs.onTrouble((error) => this.say(`${visible(error.message)} [${error.code}] It is tried again.`)),
    ];
  }

  /** A remark between the lines of the jobs. */
  say(text: string | undefined): void {
    if (text === undefined) return;
    for (const { line } of this.#running.values()) line.end();
    this.#terminal.note(text);
  }

  /** Resolves when everything that was heard is printed. */
  async close(): Promise<void> {
    for (const leave of this.#leave) leave();
    await this.#printed;
    for (const { line } of this.#running.values()) line.end();
  }

  #show(job: JobRecord): void {
    const name = visible(job.path);
    if (job.state === 'running') {
      const known = this.#running.get(job.id) ?? {
        line: new ProgressLine(this.#terminal, name),
        since: performance.now(),
      };
      this.#running.set(job.id, known);
      known.line.show(job);
      return;
    }
    const running = this.#running.get(job.id);
    this.#running.delete(job.id);
    running?.line.end();
    if (job.state === 'done') {
      const took = running ? performance.now() - running.since : undefined;
      this.#printed = this.#printed.then(() => this.#done(job, took));
    } else if (job.state === 'failed') this.#terminal.warn(`${name} was not ingested: ${problem(job)}`);
    else if (job.state === 'queued' && job.error)
      this.#terminal.note(`${name} failed and is tried again: ${problem(job)}`);
    else if (job.state !== 'queued') this.#terminal.note(`${name} is ${job.state}.`);
  }

  async #done(job: JobRecord, took: Milliseconds | undefined): Promise<void> {
    const video = job.videoId === undefined ? undefined : await this.#engine.library.getVideo(job.videoId);
    if (!video) return;
    const speed = took ? `, ${(video.duration / (took / 1000)).toFixed(1)}x realtime` : '';
    this.#terminal.line(`${video.id}  ${formatTime(video.duration)}  ${visible(video.title)}${speed}`);
    for (const warning of video.warnings) this.#terminal.warn(`${visible(job.path)}: ${visible(warning)}`);
  }
}

function problem({ error }: JobRecord): string {
  return error ? visible(`${error.detail} [${error.code}]`) : 'no reason was given';
}
