/** What is said beside an answer: why there is none, and what could not be compared. */

import type { Embedder } from '../../src/meaning/embedder.js';
import type { Library } from '../library.js';
import type { ParsedSearch } from './parse.js';

/** Why nothing answers, as far as the library can tell. */
export async function notesOnNothing({ scope, byTags, minScore }: ParsedSearch, library: Library): Promise<string[]> {
  const notes: string[] = [];
  const { videos, events } = await library.stats();
  if (videos === 0) notes.push('The library is empty. Ingest a video first: `longwatch ingest PATH`.');
  else if (events === 0) notes.push('Nothing has been read from the videos yet. See `longwatch list`.');
  else if (scope?.videoIds?.length === 0)
    notes.push(byTags ? 'No video carries all of these tags.' : 'No video was selected.');
  else if (scope) notes.push('Nothing in the selected part of the library answers this.');
  else notes.push('Nothing in the library answers this.');
  if (minScore > 0) notes.push(`Results below a score of ${minScore} are left out.`);
  return notes;
}

/**
 * What of a search fell away; undefined when nothing did.
 * @param meaningLost why meaning could not be compared
 * @param looksLost why pictures could not be compared
 */
export function remarkOn(
  embedder: Embedder | undefined,
  meaningLost: string | undefined,
  looksLost: string | undefined,
): string | undefined {
  const remarks = [
    remarkOnMeaning(embedder, meaningLost),
    looksLost === undefined ? undefined : `Pictures could not be compared: ${looksLost}`,
  ].filter((remark) => remark !== undefined);
  return remarks.length === 0 ? undefined : remarks.join(' ');
}

function remarkOnMeaning(embedder: Embedder | undefined, meaningLost: string | undefined): string | undefined {
  if (meaningLost !== undefined) return `Meaning could not be compared, only words were: ${meaningLost}`;
  if (!embedder) return 'Only words were compared, since no embedder is installed. See `longwatch doctor`.';
  if (embedder.scale) return undefined;
  return `Meaning only orders what words found: ${embedder.id} does not tell answers from other lines.`;
}
