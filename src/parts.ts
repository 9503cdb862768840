/** What works on videos, beside the library: each part is made once, when it is first needed. */

import { JOB_PARTS, type JobPart } from '../ingest/jobs/job-part.js';
import { ObjectStore } from '../ingest/objects/object-store.js';
import { chooseDecoder } from '../ingest/video/choose.js';
import type { Decoder, PictureReader } from '../ingest/video/decoder.js';
import { type ChosenEmbedder, openChosenEmbedder } from './chosen-embedder.js';
import { type ChosenLayers, type LayerOpener, openChosenLayers } from './chosen-layers.js';
import { type ChosenModel, chosenNeeds, openChosenModel } from './chosen-model.js';
import { type ChosenPictures, openChosenPictures, openPicturesLayer } from './chosen-pictures.js';
import type { Config } from './config.js';
import { LAYER_NAMES, type LayerName } from './layer-name.js';
import { openScreenTextLayer } from './layers/screen-text/screen-text.js';
import { SoundLayer } from './layers/sound/sound-layer.js';
import { openSpeechLayer } from './layers/speech/speech-layer.js';
import { installedWhisper } from './layers/speech/speech-package.js';
import type { PipelineParts } from './pipeline.js';
import type { Profile } from './profile.js';
import { shareLayers } from './shared-layers.js';
import { BackendModel } from './tasks/backend-model.js';

/** Longest side at which a Full HD picture is read as it is, for its smallest letters; what it costs more is not measured. */
const FULL_HD = 1920;

/** Every layer of its own pass, and what opens it. */
export const LAYERS: Readonly<Partial<Record<LayerName, LayerOpener>>> = {
  sound: async () => new SoundLayer(),
  speech: ({ speech, threads }) => {
    // Base hears far better than tiny, and small is too slow to be taken unasked.
    const model = speech === 'auto' ? (installedWhisper().includes('base') ? 'base' : 'tiny') : speech;
    return openSpeechLayer({ model, ...(threads === undefined ? {} : { threads }) });
  },
  text: ({ threads, profile }) =>
    openScreenTextLayer({ threads, ...(profile === 'thorough' ? { longestSide: FULL_HD } : {}) }),
  pictures: openPicturesLayer,
};

export interface Parts {
  /** Where `s3://` places are read from. */
  readonly objects: ObjectStore;
  decoder(): Promise<Decoder & PictureReader>;
  /** The model that describes and answers, or why there is none. */
  model(): Promise<ChosenModel>;
  /** What compares meanings, or why there is none. */
  meaning(): Promise<ChosenEmbedder>;
  /** What compares pictures for a search, or why there is none. A layer has one of its own. */
  pictures(): Promise<ChosenPictures>;
  layers(): Promise<ChosenLayers>;
  /** All of them, as an ingest needs them. @param profile how much is read; @default the settings' */
  pipeline(profile?: Profile): Promise<Omit<PipelineParts, 'library'>>;
  /** Closes what was opened. */
  close(): Promise<void>;
}

/**
 * Parts that open themselves when they are first asked for; a failure is the asker's, and the next call tries again.
 * @param own what of an ingest this process does: it opens nothing for the rest
 */
export function openParts(config: Config, own: readonly JobPart[] = JOB_PARTS): Parts {
  const objects = new ObjectStore(config.objects);
  const decoder = once(() =>
    chooseDecoder({ kind: config.decoder, searchPath: config.searchPath, workers: config.decodeWorkers, objects }),
  );
  const model = once(() => openChosenModel(config));
  const meaning = once(() => openChosenEmbedder(config, model));
  const pictures = once(() => openChosenPictures(config));
  const shared = shareLayers(LAYERS, (name, { profile }) => (name === 'text' && profile === 'thorough' ? 'large' : ''));
  const layersOf = perProfile((profile) =>
    openChosenLayers(
      { ...config, profile },
      shared.openers,
      LAYER_NAMES.filter((name) => own.includes(name)),
    ),
  );
  const layers = () => layersOf(config.profile);
  return {
    objects,
    decoder,
    model,
    meaning,
    pictures,
    layers,
    async pipeline(profile = config.profile) {
      const { embedder } = await meaning();
      const { backend } = own.includes('model') ? await model() : {};
      const planFor = own.includes('decode') && !own.includes('model') ? await chosenNeeds(config) : undefined;
      return {
        decoder: await decoder(),
        objects,
        ...readBy(await layersOf(profile)),
        profile,
        layersOf: async (other) => readBy(await layersOf(other)),
        ...(embedder ? { embedder } : {}),
        ...(backend ? { model: new BackendModel(backend) } : {}),
        ...(planFor ? { planFor } : {}),
      };
    },
    async close() {
      await shared.close();
      await (await meaning.opened())?.embedder?.close();
      await (await pictures.opened())?.embedder?.close();
      await (await model.opened())?.backend?.close();
    },
  };
}

/** What is opened once for each profile. */
function perProfile<T>(open: (profile: Profile) => Promise<T>): (profile: Profile) => Promise<T> {
  const opened = new Map<Profile, () => Promise<T>>();
  return (profile) => {
    const get = opened.get(profile) ?? once(() => open(profile));
    opened.set(profile, get);
    return get();
  };
}

function readBy({ layers, missing, left }: ChosenLayers) {
  return {
    layers,
    leftLayers: left,
    missingLayers: Object.fromEntries(Object.entries(missing).map(([name, { reason }]) => [name, reason])),
  };
}

/** A part that is opened at most once; a failure is not remembered, so that the next call tries again. */
export function once<T>(open: () => Promise<T>): (() => Promise<T>) & { opened(): Promise<T | undefined> } {
  let part: Promise<T> | undefined;
  const get = () => {
    part ??= open().catch((error: unknown) => {
      part = undefined;
      throw error;
    });
    return part;
  };
  return Object.assign(get, { opened: async () => part });
}
