/** What the rules of watched folders ask of the files that lie in them. Pure. */

import type { JobSettings } from '../jobs/job.js';
import type { WatchRule } from './rule.js';
import type { Scan } from './scan.js';

/** A rule at work. */
export interface RootedRule {
  readonly rule: WatchRule;
  /** The folder, with symbolic links resolved. */
  readonly root: string;
}

/**
 * What the rules that take a file ask of it. Folders may lie in one another: tags add up, and the profile is that of the innermost folder whose rule names
 * one; of two rules for one folder, that of the later.
 */
function askedBy(rules: readonly RootedRule[]): JobSettings {
  let innermost: RootedRule | undefined;
  for (const one of rules)
    if (one.rule.profile !== undefined && one.root.length >= (innermost?.root.length ?? 0)) innermost = one;
  const tags = [...new Set(rules.flatMap(({ rule }) => rule.tags ?? []))].sort();
  return { tags, ...(innermost?.rule.profile === undefined ? {} : { profile: innermost.rule.profile }) };
}

/** By file, what the rules that take it ask; what asks nothing is left out. Files of the same rules share one answer. */
export function askedOf(scans: readonly Scan[], rooted: readonly RootedRule[]): ReadonlyMap<string, JobSettings> {
  const taking = new Map<string, RootedRule[]>();
  scans.forEach(({ files }, position) => {
    const rule = rooted[position];
    if (!rule || (rule.rule.profile === undefined && (rule.rule.tags ?? []).length === 0)) return;
    for (const file of files.keys()) taking.set(file, [...(taking.get(file) ?? []), rule]);
  });
  const known = new Map<string, JobSettings>();
  return new Map(
    [...taking].map(([file, rules]) => {
      const key = rules.map((rule) => rooted.indexOf(rule)).join();
      const asked = known.get(key) ?? askedBy(rules);
      known.set(key, asked);
      return [file, asked];
    }),
  );
}
