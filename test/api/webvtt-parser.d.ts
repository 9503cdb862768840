/** W3C's own parser and validator of WebVTT, which has no types. */
declare module 'webvtt-parser' {
  export class WebVTTParser {
    parse(
      text: string,
      mode?: 'chapters',
    ): {
      readonly cues: readonly {
        readonly id: string;
        readonly startTime: number;
        readonly endTime: number;
        readonly text: string;
      }[];
      /** What a validator has to say against the file. */
      readonly errors: readonly { readonly message: string; readonly line: number }[];
    };
  }
}
