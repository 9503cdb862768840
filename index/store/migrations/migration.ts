/** One step of the schema. Steps are applied in order, each once, and are never edited after a release. */
export interface Migration {
  /** The `user_version` after this step. Steps count up from 1 without a gap. */
  readonly version: number;
  /** What the step brings, in a few words. */
  readonly name: string;
  readonly sql: string;
}
