/** The part of `media-captions` that is used here; the types it ships do not resolve under Node's module rules. */
declare module 'media-captions' {
  export interface ParsedCue {
    readonly startTime: number;
    readonly endTime: number;
    readonly text: string;
  }
  export function parseText(
    text: string,
    options: { readonly type: 'srt' | 'vtt' | 'ssa'; readonly strict: boolean; readonly errors: boolean },
  ): Promise<{ readonly cues: readonly ParsedCue[]; readonly errors: readonly { readonly message: string }[] }>;
}
