/** Layers that are opened once, whichever profiles run them. */

import type { Decoder, VideoProbe } from '../ingest/video/decoder.js';
import type { LayerOpener } from './chosen-layers.js';
import type { Config } from './config.js';
import { LAYER_NAMES, type LayerName } from './layer-name.js';
import type { Layer, LayerOptions, LayerVideo } from './layers/layer.js';

type Openers = Readonly<Partial<Record<LayerName, LayerOpener>>>;

export interface SharedLayers {
  readonly openers: Openers;
  /** Closes what was opened. */
  close(): Promise<void>;
}

/**
 * The same openers; a layer that is asked for again is the one that is open. Closing what they give closes nothing.
 * @param variantOf what of the settings the layer looks at beside those that never change
 */
export function shareLayers(openers: Openers, variantOf: (name: LayerName, config: Config) => string): SharedLayers {
  const opened = new Map<string, Promise<Layer>>();
  const share = (name: LayerName, open: LayerOpener): LayerOpener => {
    return async (config) => {
      const key = `${name} ${variantOf(name, config)}`;
      const layer = opened.get(key) ?? open(config);
      opened.set(key, layer);
      try {
        return new BorrowedLayer(await layer);
      } catch (error) {
        // What is not installed may be so the next time.
        opened.delete(key);
        throw error;
      }
    };
  };
  return {
    openers: Object.fromEntries(
      LAYER_NAMES.flatMap((name) => {
        const open = openers[name];
        return open ? [[name, share(name, open)]] : [];
      }),
    ),
    async close() {
      for (const layer of opened.values()) await (await layer.catch(() => undefined))?.close();
    },
  };
}

class BorrowedLayer implements Layer {
  constructor(private readonly layer: Layer) {}

  get name(): LayerName {
    return this.layer.name;
  }

  get identity(): string {
    return this.layer.identity;
  }

  get note(): string {
    return this.layer.note;
  }

  get readsBeside(): boolean {
    return this.layer.readsBeside ?? false;
  }

  skips(probe: VideoProbe): string | undefined {
    return this.layer.skips(probe);
  }

  read(decoder: Decoder, video: LayerVideo, options: LayerOptions) {
    return this.layer.read(decoder, video, options);
  }

  async close(): Promise<void> {}
}
