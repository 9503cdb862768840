/** What the rules of watched places ask of the files that lie in them. Pure. */

import type { JobSettings } from '../jobs/job.js';
import type { WatchSource } from './source.js';

type Rooted = Pick<WatchSource, 'rule' | 'root'>;

/**
 * What the rules that take a file ask of it. Places may lie in one another: tags add up, and the profile is that of the innermost place whose rule names
 * one; of two rules for one place, that of the later.
 */
function askedBy(sources: readonly Rooted[]): JobSettings {
  let innermost: Rooted | undefined;
  for (const one of sources)
    if (one.rule.profile !== undefined && one.root.length >= (innermost?.root.length ?? 0)) innermost = one;
  const tags = [...new Set(sources.flatMap(({ rule }) => rule.tags ?? []))].sort();
  return { tags, ...(innermost?.rule.profile === undefined ? {} : { profile: innermost.rule.profile }) };
}

/** Answers for one file after another what is asked of it; undefined where no rule that takes it asks something. */
export function asker(sources: readonly WatchSource[]): (file: string) => JobSettings | undefined {
  const asking = sources.filter(({ rule }) => rule.profile !== undefined || (rule.tags ?? []).length > 0);
  return (file) => {
    const taking = asking.filter((source) => source.takes(file));
    return taking.length === 0 ? undefined : askedBy(taking);
  };
}
