/** The composition root: makes the real parts and hands them down. Nothing below it chooses a part or reads the environment. */

import os from 'node:os';
import type { ModelOverview } from '../api/ports.js';
import { hitLinks } from '../api/routes/place-links.js';
import { noticeJson } from '../api/schema/watch.js';
import type { Library } from '../index/library.js';
import { openLibrary } from '../index/open-library.js';
import { LibraryReaders } from '../index/readers/library-readers.js';
import { createSearcher } from '../index/search/searcher.js';
import type { SearchAnswer, Searcher } from '../index/search/types.js';
import type { VideoRecord } from '../index/store/records.js';
import type { JobFence } from '../ingest/jobs/job.js';
import { JOB_PARTS } from '../ingest/jobs/job-part.js';
import { Presence } from '../ingest/jobs/presence.js';
import { HEARTBEAT, JobQueue, type JobQueueOptions, LEASE } from '../ingest/jobs/queue.js';
import { WindowHands, type WindowModel } from '../ingest/jobs/window-hands.js';
import { canonicalPlace, identifyMedia } from '../ingest/media.js';
import type { ObjectStore } from '../ingest/objects/object-store.js';
import type { Decoder } from '../ingest/video/decoder.js';
import { FolderWatcher, type WatchOptions } from '../ingest/watch/watcher.js';
import { type AskRequest, type AskStep, ask } from './ask.js';
import { type ChosenModel, modelOverview } from './chosen-model.js';
import { openChosenWaker } from './chosen-waker.js';
import type { Config } from './config.js';
import { LongwatchError } from './errors.js';
import { type EstimateOptions, estimateIngest, type IngestEstimate } from './estimate.js';
import { armFailpoint } from './failpoint.js';
import { groundedSearcher } from './grounded-search.js';
import { isPostgresAddress } from './library-address.js';
import { look } from './look.js';
import type { LookRequest, LookResult } from './look-request.js';
import { questionEmbedder } from './meaning/question-embedder.js';
import { once, openParts } from './parts.js';
import { type PictureSearchRequest, searchByPicture } from './picture-search.js';
import { type IngestOptions, type IngestResult, ingestVideo } from './pipeline.js';
import type { Profile } from './profile.js';
import type { ServerStatus } from './remote/pool-member.js';
import { ingestShare, leavesModel } from './shared-ingest.js';
import { describeShared, windowsHeld } from './shared-windows.js';
import { StandingQueries } from './standing-queries/standing-queries.js';
import { BackendModel } from './tasks/backend-model.js';
import type { Seconds } from './time.js';
import { VERSION } from './version.js';
import { type SummaryOptions, VideoSummaries, type VideoSummary } from './video-summary.js';

export { loadConfig } from './config.js';
export { LongwatchError } from './errors.js';
export type { IngestOptions, IngestResult } from './pipeline.js';

/** One library with everything that works on it. Heavy parts are opened when they are first needed. */
export interface Engine {
  readonly config: Config;
  readonly library: Library;
  readonly searcher: Searcher;
  /** Finds what looks like a picture. @throws {LongwatchError} `part_missing` without a model of pictures; see `searchByPicture` */
  searchByPicture(request: PictureSearchRequest, signal?: AbortSignal): Promise<SearchAnswer>;
  readonly jobs: JobQueue;
  /** What this process does of the windows that workers share, once it is started. */
  readonly windows: WindowHands;
  /** Says to others that this process does jobs, once it is started. */
  readonly presence: Presence;
  /** Where `s3://` places are read from. */
  readonly objects: ObjectStore;
  decoder(): Promise<Decoder>;
  /**
   * See `ingestVideo`.
   * @throws {LongwatchError} also `conflict`, with `retry: 'later'` while another process is at this file
   */
  ingest(file: string, options?: IngestOptions): Promise<IngestResult>;
  /** What an ingest of the file will take. See `estimateIngest` */
  estimate(file: string, options?: EstimateOptions): Promise<IngestEstimate>;
  /** Keeps the library in step with folders; see `FolderWatcher`. Its jobs are done by this process or another. */
  watch(options: Omit<WatchOptions, 'store' | 'jobs' | 'identify' | 'objects'>): FolderWatcher;
  /** The frame that is on screen at `time`. @throws {LongwatchError} of the file or the decoder */
  still(
    video: VideoRecord,
    time: Seconds,
    signal?: AbortSignal,
  ): Promise<{ readonly jpeg: Uint8Array; readonly time: Seconds }>;
  /** Asks the model about a stretch or a moment. @throws {LongwatchError} `part_missing` without a model; see `look` */
  look(video: VideoRecord, request: LookRequest, signal?: AbortSignal): Promise<LookResult>;
  /** Answers a question about the library in cited sentences. See `ask` */
  ask(request: AskRequest, signal?: AbortSignal): AsyncGenerator<AskStep>;
  /** What happens in a video, in a model's words. @throws {LongwatchError} `part_missing` without a model; see `VideoSummaries` */
  summary(video: VideoRecord, options?: SummaryOptions): Promise<VideoSummary>;
  /** The model that describes and answers, or why there is none. Opens it. */
  model(): Promise<ChosenModel>;
  /** Which models there are, and which one is used; opens none. */
  models(): Promise<ModelOverview>;
  /** How the model's servers are; none where the model runs here. */
  modelServers(): Promise<readonly ServerStatus[]>;
  /** Looks after the standing queries once it is started, as a server does. */
  readonly standing: StandingQueries;
  /** Why texts are not searched by meaning, or undefined when they are. Opens the embedder. */
  meaningMissing(): Promise<string | undefined>;
  close(): Promise<void>;
}

export interface EngineOptions {
  /** Whether a missing library is made. */
  readonly create: boolean;
  /** Whether other hosts hear at once of the jobs that this process makes, and it of theirs. @default false: they look every few seconds */
  readonly calls?: boolean;
  /** Which jobs this process does, once it takes them up, and how. @default each, whole */
  readonly work?: Pick<JobQueueOptions, 'parts' | 'lease' | 'heartbeat'>;
  /** Whether it is searched in threads of their own: for who serves others meanwhile. @default false */
  readonly readers?: boolean;
}

/**
 * @throws {LongwatchError} `library_not_found`, `library_newer`, `library_damaged`, `library_busy`, `library_unreachable`, `unreadable_file`
 */
export async function openEngine(
  config: Config,
  { create, readers = false, calls = false, work = {} }: EngineOptions,
): Promise<Engine> {
  armFailpoint(config.failpoint);
  const library = await openLibrary(config, { create });
  // A database searches outside of this process anyway.
  const threads = readers && !isPostgresAddress(config.library) ? new LibraryReaders(library) : undefined;
  // Who does no jobs may be asked for an estimate or a look all the same.
  const parts = openParts(config, work.parts?.length === 0 ? undefined : work.parts);
  const { decoder, model, meaning, pictures } = parts;
  const pipelineUnder = async (fence: JobFence, profile?: Profile) => ({
    ...(await parts.pipeline(profile)),
    library: library.underJob(fence),
  });
  const ingest: Engine['ingest'] = async (file, options) => {
    // A file that is not there is said to be so by the ingest itself.
    const place = await canonicalPlace(file);
    return jobs.hold(
      place,
      async (fence, signal, report, { profile, tags }) => {
        const onProgress: IngestOptions['onProgress'] = (step) => {
          report(step);
          options?.onProgress?.(step);
        };
        return ingestVideo(await pipelineUnder(fence, profile), file, { ...options, tags, signal, onProgress });
      },
      options?.signal,
      { profile: config.profile, tags: options?.tags ?? [] },
    );
  };
  const waker = once(() => openChosenWaker(config.library));
  const jobs = new JobQueue({
    ...work,
    ...(calls ? { waker: async () => (await waker()).waker } : {}),
    store: library,
    onCall: () => windows.look(),
    profile: config.profile,
    work: async (file, report, signal, fence, { profile, tags, parts: todo, videoId }) => {
      const share = {
        ...(todo ? { todo } : {}),
        ...(work.parts ? { own: work.parts } : {}),
        ...(videoId ? { videoId } : {}),
      };
      const options = { tags, signal, onProgress: report };
      const { model, ...pipeline } = await pipelineUnder(fence, profile);
      const asks = model && !(await leavesModel(library.workers, jobs.owner, work.parts));
      const asked = asks ? { model } : model ? { planFor: model } : {};
      return ingestShare({ ...pipeline, ...asked }, file, share, options);
    },
  });
  const windowModel = async (): Promise<WindowModel | undefined> => {
    const { backend } = await model();
    if (!backend) return undefined;
    const { embedder } = await meaning();
    const shared = {
      decoder: await decoder(),
      library,
      objects: parts.objects,
      model: new BackendModel(backend),
      ...(embedder ? { embedder } : {}),
    };
    return {
      id: backend.id,
      most: windowsHeld(backend),
      describe: (claimed, signal, goesOn) => describeShared(shared, claimed, { signal, goesOn }),
    };
  };
  const windows = new WindowHands({
    claims: library.sharedWindows,
    owner: jobs.owner,
    lease: work.lease ?? LEASE,
    heartbeat: work.heartbeat ?? HEARTBEAT,
    model: async () => ((work.parts ?? JOB_PARTS).includes('model') ? windowModel() : undefined),
    onEnded: () => jobs.takeUpWaiting(),
  });
  const presence = new Presence(library.workers, () => ({
    owner: jobs.owner,
    host: os.hostname(),
    version: VERSION,
    parts: work.parts ?? JOB_PARTS,
    draining: jobs.draining,
  }));
  const plainSearcher = once(async () => {
    const { embedder } = await meaning();
    const { embedder: compared } = await pictures();
    return createSearcher({
      library,
      ...(threads ? { retrieval: threads } : {}),
      ...(embedder ? { embedder: questionEmbedder(embedder) } : {}),
      ...(compared ? { pictures: compared } : {}),
    });
  });
  const searcher = once(async () =>
    groundedSearcher({ library, searcher: await plainSearcher(), decoder, objects: parts.objects, model }),
  );

  const engineSearcher: Searcher = { search: async (...asked) => (await searcher()).search(...asked) };
  const summaries = once(async () => {
    const { backend, missing } = await model();
    if (!backend)
      throw new LongwatchError('part_missing', `There is no model to summarise with. ${missing ?? ''}`.trim());
    return new VideoSummaries(library, backend);
  });

  const standing = new StandingQueries({
    library,
    searcher: engineSearcher,
    privateHosts: config.privateHosts,
    noticeOf: (id, watch, matches) => JSON.stringify(noticeJson(id, watch, matches, hitLinks)),
  });

  // Opening a model that runs elsewhere opens no connection.
  const modelServers = async () => (config.remote ? ((await model()).remote?.servers() ?? []) : []);

  let estimating: Promise<unknown> = Promise.resolve();

  return {
    config,
    library,
    jobs,
    windows,
    presence,
    standing,
    objects: parts.objects,
    decoder,
    ingest,
    watch: (options) =>
      new FolderWatcher({
        ...options,
        store: library,
        jobs,
        objects: parts.objects,
        identify: (file, signal) => identifyMedia(file, parts.objects, signal),
      }),
    searcher: engineSearcher,
    searchByPicture: (request, signal) =>
      searchByPicture({ searcher: plainSearcher, decoder, objects: parts.objects, pictures }, request, signal),
    estimate(file, options) {
      // Two tries at once would both come out too slow.
      const result = estimating.then(async () => estimateIngest(await parts.pipeline(), file, options));
      estimating = result.catch(() => {});
      return result;
    },
    async still(video, time, signal) {
      const options = signal ? { signal } : {};
      const opened = await decoder();
      const probe = await opened.probe(video.path, options);
      return opened.still(video.path, probe, { time, firstFrameTime: video.firstFrameTime }, undefined, options);
    },
    async look(video, request, signal) {
      const { backend, missing } = await model();
      if (!backend) throw new LongwatchError('part_missing', `There is no model to look with. ${missing ?? ''}`.trim());
      const result = await look({ backend, decoder: await decoder(), objects: parts.objects }, video, request, signal);
      return { look: request.look, model: backend.id, result };
    },
    ask: (request, signal) => ask({ library, searcher: engineSearcher, model }, request, signal),
    async summary(video, options) {
      return (await summaries()).summary(video, options);
    },
    model,
    models: async () => modelOverview(config, await modelServers()),
    modelServers,
    meaningMissing: async () => (await meaning()).missing,
    async close() {
      await windows.close();
      await jobs.close();
      await presence.stop();
      await (await waker.opened())?.waker?.close();
      await standing.close();
      await (await summaries.opened())?.close();
      await parts.close();
      await threads?.close();
      await library.close();
    },
  };
}
