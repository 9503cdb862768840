/** Layers that read a whole video by themselves, in the order in which they run: what is cheap comes first. Stored as this text. */
export const LAYER_NAMES = ['sound', 'speech', 'text', 'pictures'] as const;
export type LayerName = (typeof LAYER_NAMES)[number];
