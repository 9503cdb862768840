/**
 * What a person may write to set Longwatch up, and where: on the command line, in environment variables, in a configuration file. What it
 * comes to together is `Config`.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { LongwatchError } from './errors.js';
import { LAYER_NAMES } from './layer-name.js';
import { PROFILE_NAMES } from './profile.js';
import { MAX_TAGS } from './tag.js';

/** What a token of the API may do: ask and look; bring videos in; everything, `read` and `ingest` included. */
export const SCOPES = ['read', 'ingest', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

export const DECODERS = ['auto', 'wasm', 'native'] as const;
export const MODEL_DEVICES = ['auto', 'cpu', 'webgpu', 'cuda'] as const;

const settingsSchema = z.strictObject({
  /** Folder of the library, or the address of its PostgreSQL database. */
  library: z.string().min(1).optional(),
  /** Folder of what this machine keeps for a library that lies in a database. */
  state: z.string().min(1).optional(),
  /** Folder of the built models. */
  models: z.string().min(1).optional(),
  /** Which decoder: `auto` takes a native ffmpeg on the PATH, else the WebAssembly build. */
  decoder: z.enum(DECODERS).optional(),
  /** Engines that decode one long video at once, in slices; 1 decodes it in one pass. */
  decodeWorkers: z.number().int().min(1).max(32).optional(),
  /** Meaning search on or off. */
  meaning: z.boolean().optional(),
  /** How much is read from a video: see `src/profile.ts`. */
  profile: z.enum(PROFILE_NAMES).optional(),
  /** Layers that are run or left out whatever the profile says. */
  layers: z.partialRecord(z.enum(LAYER_NAMES), z.boolean()).optional(),
  /** Whisper's size (`tiny`, `base`, `small`), a folder in the layout of transformers.js, or `auto`: `base` where it is installed, else `tiny`. */
  speech: z.string().min(1).optional(),
  /** Threads of the model runtime, 1..64. */
  threads: z.number().int().min(1).max(64).optional(),
  /** Built model that describes what is seen: a name, `auto` (the only one there is) or `none`. */
  model: z.string().min(1).optional(),
  /** Built CLIP or SigLIP model that compares pictures: a name, `auto` (the only one there is) or `none`. */
  pictures: z.string().min(1).optional(),
  /** What a built model runs on. */
  device: z.enum(MODEL_DEVICES).optional(),
  /** OpenAI-compatible servers that are asked instead of a built model: one by its `url`, or several. Keys come from the environment only. */
  remote: z
    .strictObject({
      url: z.url().optional(),
      /** Name of the model, stored beside everything it says. */
      model: z.string().min(1),
      /** How frames travel: `images` everywhere, `video` for vLLM. */
      frames: z.enum(['images', 'video']).optional(),
      /** Frames as JPEG where that is smaller, or always as PNG. */
      pictures: z.enum(['smallest', 'png']).optional(),
      /** Questions at once, of each server that does not say otherwise. */
      concurrency: z.number().int().min(1).max(256).optional(),
      /** Whether a question whose server is slower than usual goes to a second one too. */
      hedge: z.boolean().optional(),
      /** Servers of the same model. */
      endpoints: z
        .array(
          z.strictObject({
            url: z.url(),
            /** Name of the model at this server, where it is another. */
            model: z.string().min(1).optional(),
            /** Environment variable that holds its key. */
            keyEnv: z
              .string()
              .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
              .optional(),
            concurrency: z.number().int().min(1).max(256).optional(),
          }),
        )
        .min(1)
        .max(64)
        .optional(),
    })
    .refine(({ url, endpoints }) => (url === undefined) !== (endpoints === undefined), 'give url or endpoints')
    .optional(),
  host: z.string().min(1).optional(),
  port: z.number().int().min(0).max(65_535).optional(),
  /** Bearer token of the API that may do everything. */
  token: z.string().min(16).optional(),
  /** Bearer tokens that may do less. */
  tokens: z
    .array(z.strictObject({ token: z.string().min(16), scopes: z.array(z.enum(SCOPES)).min(1) }))
    .max(100)
    .optional(),
  /** Requests of one caller. */
  rateLimit: z
    .union([
      z.literal(false),
      z.strictObject({
        perMinute: z.number().int().min(1).max(1_000_000),
        burst: z.number().int().min(1).max(100_000).optional(),
      }),
    ])
    .optional(),
  /** Where webhooks may go beside public addresses: names and addresses, as they stand in the URL, or every one. */
  webhooks: z
    .strictObject({ privateHosts: z.union([z.literal('all'), z.array(z.string().min(1)).max(100)]).optional() })
    .optional(),
  /** Where `s3://` places are read from, unless it is AWS. Keys come from the environment only. */
  objects: z
    .strictObject({
      endpoint: z.url().optional(),
      region: z.string().min(1).optional(),
      /** Whether the bucket stands in the path of addresses instead of the host's name. */
      pathStyle: z.boolean().optional(),
    })
    .optional(),
  /** Folders, and `s3://bucket/prefix`, that the API may ingest from. */
  roots: z.array(z.string().min(1)).optional(),
  /** Host names under which the API may be addressed, beside localhost. */
  hosts: z.array(z.string().min(1)).optional(),
  /** Folders and `s3://bucket/prefix` that are watched, each with its own rules. */
  watch: z
    .array(
      z.strictObject({
        dir: z.string().min(1),
        /** Only files that match one of these globs. */
        include: z.array(z.string().min(1)).optional(),
        /** No file and no folder that matches one of these. */
        exclude: z.array(z.string().min(1)).optional(),
        /** How much is read of what lies there. */
        profile: z.enum(PROFILE_NAMES).optional(),
        /** Put on every video that lies there. */
        tags: z.array(z.string().min(1)).max(MAX_TAGS).optional(),
      }),
    )
    .optional(),
  logLevel: z.enum(['silent', 'error', 'warn', 'info', 'debug']).optional(),
});

/** Settings of any of the three; undefined means not given. */
export type Settings = z.infer<typeof settingsSchema>;

/** Environment variables that are settings: name → reader. */
const ENVIRONMENT: { readonly [name: string]: (value: string) => Settings } = {
  LONGWATCH_LIBRARY: (library) => ({ library }),
  LONGWATCH_STATE: (state) => ({ state }),
  LONGWATCH_MODELS: (models) => ({ models }),
  LONGWATCH_DECODER: (decoder) => settingsSchema.pick({ decoder: true }).parse({ decoder }),
  LONGWATCH_DECODE_WORKERS: (workers) => ({ decodeWorkers: Number(workers) }),
  LONGWATCH_PROFILE: (profile) => settingsSchema.pick({ profile: true }).parse({ profile }),
  LONGWATCH_SPEECH: (speech) => ({ speech }),
  LONGWATCH_THREADS: (threads) => ({ threads: Number(threads) }),
  LONGWATCH_MODEL: (model) => ({ model }),
  LONGWATCH_PICTURES: (pictures) => ({ pictures }),
  LONGWATCH_DEVICE: (device) => settingsSchema.pick({ device: true }).parse({ device }),
  LONGWATCH_HOST: (host) => ({ host }),
  LONGWATCH_PORT: (port) => ({ port: Number(port) }),
  LONGWATCH_TOKEN: (token) => ({ token }),
  // The colon of `s3://` ends nothing.
  LONGWATCH_ROOTS: (roots) => ({
    roots: roots.split(path.delimiter === ':' ? /:(?!\/\/)/ : path.delimiter).filter(Boolean),
  }),
  LONGWATCH_HOSTS: (hosts) => ({ hosts: hosts.split(',').filter(Boolean) }),
  LONGWATCH_LOG_LEVEL: (logLevel) => settingsSchema.pick({ logLevel: true }).parse({ logLevel }),
};

/** @throws {LongwatchError} `bad_config` */
export function readSettingsFile(file: string): Settings {
  try {
    return checkSettings(JSON.parse(readFileSync(file, 'utf8')), file);
  } catch (error) {
    if (error instanceof LongwatchError) throw error;
    throw new LongwatchError(
      'bad_config',
      `The configuration file ${file} cannot be read: ${(error as Error).message}`,
      {
        path: file,
        hint: 'It must exist and be JSON.',
      },
    );
  }
}

/** @throws {LongwatchError} `bad_config` */
export function readEnvironment(env: NodeJS.ProcessEnv): Settings {
  const settings: Settings = {};
  for (const [name, read] of Object.entries(ENVIRONMENT)) {
    const value = env[name];
    if (!value) continue;
    try {
      Object.assign(settings, read(value));
    } catch (error) {
      throw new LongwatchError('bad_config', `The environment variable ${name} cannot be "${value}".`, {
        hint: error instanceof z.ZodError ? (error.issues[0]?.message ?? '') : 'See `longwatch --help`.',
      });
    }
  }
  return settings;
}

/** @param origin where they were written, for the message. @throws {LongwatchError} `bad_config` */
export function checkSettings(settings: unknown, origin: string): Settings {
  const result = settingsSchema.safeParse(settings);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new LongwatchError('bad_config', `In ${origin}, ${issue?.path.join('.') || 'the value'}: ${issue?.message}.`, {
    hint: 'See "Settings" in the README.',
  });
}
