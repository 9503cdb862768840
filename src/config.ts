/**
 * Every setting, in one place: command line before environment before configuration file before default.
 * The only file of the product that reads the environment.
 */

import path from 'node:path';
import { LongwatchError } from './errors.js';
import { type ArmedFailpoint, parseFailpoint } from './failpoint.js';
import type { LayerName } from './layer-name.js';
import { isPostgresAddress } from './library-address.js';
import type { Profile } from './profile.js';
import {
  checkSettings,
  type DECODERS,
  type MODEL_DEVICES,
  readEnvironment,
  readSettingsFile,
  type Scope,
  type Settings,
} from './settings.js';
import { tagSet } from './tag.js';

/** A store that speaks S3. */
export interface S3Settings {
  /** `http://host:9000`. @default AWS */
  readonly endpoint?: string;
  /** @default us-east-1 */
  readonly region?: string;
  /** Whether the bucket stands in the path instead of the host's name. @default with an endpoint, and for names with dots */
  readonly pathStyle?: boolean;
  /** Without keys, requests are not signed: public buckets. */
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
}

/** A token of the API and what it may do. */
export interface AccessToken {
  readonly token: string;
  readonly scopes: readonly Scope[];
}

/** How often one caller may ask: `perMinute` on average, `burst` at once. */
export interface RateLimit {
  readonly perMinute: number;
  readonly burst: number;
}

export interface Config {
  /** Absolute path of the library folder, or `postgres://…`, perhaps with a password: shown as `publicAddress` has it. @default ./longwatch-library */
  readonly library: string;
  /**
   * Absolute path of the folder for what belongs to this machine: built models, uploads, the vector index. @default the library folder; of a library in a
   * database ./longwatch-library
   */
  readonly state: string;
  /** Absolute path of the folder that holds the built models, one folder each. @default `models` in the folder of this machine */
  readonly models: string;
  /** @default auto */
  readonly decoder: (typeof DECODERS)[number];
  /** Engines that decode one long video at once, 1 to 32. @default as `chooseDecoder` says */
  readonly decodeWorkers?: number;
  /** Whether texts are embedded and searched by meaning, where the parts are installed. @default true */
  readonly meaning: boolean;
  /** @default standard */
  readonly profile: Profile;
  /** Layers that are run (`true`) or left out (`false`) whatever the profile says. @default none */
  readonly layers: Readonly<Partial<Record<LayerName, boolean>>>;
  /** Who writes down what is said: a size of Whisper that is installed, a folder, or `auto`: `base` where it is installed, else `tiny`. @default auto */
  readonly speech: string;
  /** @default auto */
  readonly model: string;
  /** @default auto */
  readonly pictures: string;
  /** @default auto */
  readonly device: (typeof MODEL_DEVICES)[number];
  /** Where `models pull` fetches from: a mirror's address and a token for closed repositories, from the environment only. */
  readonly hub: { readonly endpoint?: string; readonly token?: string };
  readonly remote?: {
    /** Stored beside everything the model says. */
    readonly model: string;
    /** Servers of this model, one or more. */
    readonly endpoints: readonly {
      readonly url: string;
      readonly model: string;
      readonly key?: string;
      readonly concurrency?: number;
    }[];
    readonly frames?: 'images' | 'video';
    readonly pictures?: 'smallest' | 'png';
    readonly hedge?: boolean;
  };
  /** Threads of the model runtime. @default half the cores, 1 to 4 */
  readonly threads?: number;
  /** @default 127.0.0.1 */
  readonly host: string;
  /** @default 7333 */
  readonly port: number;
  readonly token?: string;
  /** @default none */
  readonly tokens: readonly AccessToken[];
  /** `false`: no limit. Undefined: what `startServer` finds fit for where it listens. */
  readonly rateLimit?: RateLimit | false;
  /** Hosts in private networks that webhooks may go to. @default none */
  readonly privateHosts: readonly string[] | 'all';
  /** Where objects are read from: the usual variables of AWS before the file. The keys are in no message. */
  readonly objects: S3Settings;
  /** Absolute paths and `s3://` places; the API ingests from nowhere else. @default none */
  readonly roots: readonly string[];
  readonly hosts: readonly string[];
  /** Folders, with absolute paths, and `s3://` places that `watch` and `serve` keep in the library; see `WatchRule`. @default none */
  readonly watch: readonly {
    readonly dir: string;
    readonly include: readonly string[];
    readonly exclude: readonly string[];
    /** @default the profile of the process */
    readonly profile?: Profile;
    /** As `tagSet` gives them. */
    readonly tags: readonly string[];
  }[];
  /** @default info */
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug';
  /** Where this process is to die or a write to fail, for tests; from `LONGWATCH_FAILPOINT` only. */
  readonly failpoint?: ArmedFailpoint;
  /** Folders where native programs are looked for. */
  readonly searchPath: readonly string[];
  /** Colour on a terminal; off when `NO_COLOR` is set. */
  readonly color: boolean;
}

/** Settings of one command line; undefined means not given. */
export type ConfigFlags = { readonly [K in keyof Settings]?: Settings[K] | undefined } & {
  readonly config?: string | undefined;
  readonly color?: boolean | undefined;
};

const DEFAULT_FOLDER = 'longwatch-library';

/**
 * @throws {LongwatchError} `bad_config` with the file or variable and the value that is wrong
 */
export function loadConfig(flags: ConfigFlags = {}, env: NodeJS.ProcessEnv = process.env): Config {
  const file = flags.config ?? env.LONGWATCH_CONFIG;
  const settings = { ...(file === undefined ? {} : readSettingsFile(file)), ...readEnvironment(env), ...given(flags) };
  const checked = checkSettings(settings, 'the settings');
  const place = checked.library ?? DEFAULT_FOLDER;
  const inDatabase = isPostgresAddress(place);
  const state = path.resolve(inDatabase ? (checked.state ?? DEFAULT_FOLDER) : place);
  return {
    library: inDatabase ? place : state,
    state,
    models: path.resolve(checked.models ?? path.join(state, 'models')),
    decoder: checked.decoder ?? 'auto',
    meaning: checked.meaning ?? true,
    profile: checked.profile ?? 'standard',
    layers: definite(checked.layers),
    speech: checked.speech ?? 'auto',
    model: checked.model ?? 'auto',
    pictures: checked.pictures ?? 'auto',
    device: checked.device ?? 'auto',
    host: checked.host ?? '127.0.0.1',
    port: checked.port ?? 7333,
    objects: objectsOf(checked.objects, env),
    roots: (checked.roots ?? []).map(watchedPlace),
    hosts: checked.hosts ?? [],
    watch: (checked.watch ?? []).map(watchOf),
    logLevel: checked.logLevel ?? 'info',
    searchPath: (env.PATH ?? '').split(path.delimiter).filter(Boolean),
    color: (flags.color ?? true) && !env.NO_COLOR,
    hub: {
      ...(env.LONGWATCH_HUB ? { endpoint: env.LONGWATCH_HUB } : {}),
      ...(env.LONGWATCH_HUB_TOKEN ? { token: env.LONGWATCH_HUB_TOKEN } : {}),
    },
    ...remoteOf(checked.remote, env),
    ...(env.LONGWATCH_FAILPOINT ? { failpoint: parseFailpoint(env.LONGWATCH_FAILPOINT) } : {}),
    ...(checked.threads === undefined ? {} : { threads: checked.threads }),
    ...(checked.decodeWorkers === undefined ? {} : { decodeWorkers: checked.decodeWorkers }),
    ...(checked.token === undefined ? {} : { token: checked.token }),
    tokens: checked.tokens ?? [],
    privateHosts: checked.webhooks?.privateHosts ?? [],
    ...rateLimitOf(checked.rateLimit),
  };
}

function objectsOf(file: Settings['objects'] = {}, env: NodeJS.ProcessEnv): S3Settings {
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || file.endpoint;
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || file.region;
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  return {
    ...(endpoint ? { endpoint } : {}),
    ...(region ? { region } : {}),
    ...(file.pathStyle === undefined ? {} : { pathStyle: file.pathStyle }),
    ...(accessKeyId ? { accessKeyId } : {}),
    ...(secretAccessKey ? { secretAccessKey } : {}),
    ...(sessionToken ? { sessionToken } : {}),
  };
}

/** A burst is what a tenth of a minute would bring, and never less than a page asks for at once. */
function rateLimitOf(given: Settings['rateLimit']): Pick<Config, 'rateLimit'> {
  if (given === undefined) return {};
  if (given === false) return { rateLimit: false };
  const { perMinute, burst = Math.max(20, Math.ceil(perMinute / 10)) } = given;
  return { rateLimit: { perMinute, burst } };
}

/** A folder's absolute path; an `s3://` place stays as it is. A folder of this machine whose name begins like that is written `./s3:…`. */
export function watchedPlace(named: string): string {
  return /^s3:\/\//i.test(named) ? named : path.resolve(named);
}

function watchOf({
  dir,
  include = [],
  exclude = [],
  profile,
  tags = [],
}: NonNullable<Settings['watch']>[number]): Config['watch'][number] {
  try {
    const rule = { dir: watchedPlace(dir), include, exclude, tags: tagSet(tags) };
    return profile === undefined ? rule : { ...rule, profile };
  } catch (error) {
    throw new LongwatchError('bad_config', `The tags of the watched folder ${dir}: ${(error as Error).message}`, {
      hint: 'See "Settings" in the README.',
      cause: error,
    });
  }
}

function definite(layers: Settings['layers'] = {}): Config['layers'] {
  return Object.fromEntries(Object.entries(layers).filter(([, value]) => value !== undefined));
}

/** The servers of `LONGWATCH_REMOTE_URL`, else of the file, with the model of `LONGWATCH_REMOTE_MODEL` and the key of `LONGWATCH_REMOTE_KEY`. */
function remoteOf(file: Settings['remote'], env: NodeJS.ProcessEnv): Pick<Config, 'remote'> {
  const urls = env.LONGWATCH_REMOTE_URL?.split(',').filter(Boolean) ?? [];
  const named =
    urls.length > 0 ? urls.map((url) => ({ url })) : (file?.endpoints ?? (file?.url ? [{ url: file.url }] : []));
  const model = env.LONGWATCH_REMOTE_MODEL || file?.model;
  if (named.length === 0) return {};
  if (!model) {
    throw new LongwatchError('bad_config', `No model is named for the server ${named[0]?.url}.`, {
      hint: 'Set LONGWATCH_REMOTE_MODEL to the name by which the server knows it.',
    });
  }
  const { frames, pictures, hedge } = file ?? {};
  return {
    remote: {
      model,
      endpoints: named.map((endpoint) => remoteEndpoint(endpoint, model, file?.concurrency, env)),
      ...(frames === undefined ? {} : { frames }),
      ...(pictures === undefined ? {} : { pictures }),
      ...(hedge === undefined ? {} : { hedge }),
    },
  };
}

type FileEndpoint = NonNullable<NonNullable<Settings['remote']>['endpoints']>[number];

function remoteEndpoint(
  { url, model: ownModel, keyEnv, concurrency: ownPlaces }: FileEndpoint,
  model: string,
  places: number | undefined,
  env: NodeJS.ProcessEnv,
): NonNullable<Config['remote']>['endpoints'][number] {
  const key = env[keyEnv ?? 'LONGWATCH_REMOTE_KEY'];
  if (keyEnv !== undefined && !key) {
    throw new LongwatchError('bad_config', `The key of the server ${url} is to be in ${keyEnv}, which is not set.`, {
      hint: `Set ${keyEnv}, or take keyEnv out of the settings.`,
    });
  }
  const concurrency = ownPlaces ?? places;
  return {
    url,
    model: ownModel ?? model,
    ...(key ? { key } : {}),
    ...(concurrency === undefined ? {} : { concurrency }),
  };
}

function given({ config: _config, color: _color, ...flags }: ConfigFlags): Settings {
  return Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined)) as Settings;
}
