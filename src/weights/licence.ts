/**
 * Under which terms a published checkpoint may be used, in plain words, and whether a person has to agree before a byte of it is
 * fetched. A line for people, no legal advice: the text of the licence counts.
 */

import { LongwatchError } from '../errors.js';

/** What a person is shown before a checkpoint is fetched. */
export interface Licence {
  /** SPDX identifier where there is one, else the name that the model card gives; `unknown` when nothing says. */
  readonly id: string;
  readonly name: string;
  /** What it means for the user, in plain words. */
  readonly summary: string;
  /** Commercial use is allowed; undefined when that is not known. */
  readonly commercialUse?: boolean;
  /** A person has to agree explicitly. False for the well-known permissive licences only. */
  readonly mustAccept: boolean;
}

/** The part of a model card that says under which terms the weights stand. Everything in it is the publisher's claim. */
export interface LicenceClaim {
  readonly license?: string;
  /** The licence's name where `license` is `other`. */
  readonly licenseName?: string;
  /** Checkpoints that this one was made from, `owner/name` each. */
  readonly baseModels: readonly string[];
}

/** Identifiers of licences that allow commercial use and ask for no more than their notice → name. */
const PERMISSIVE: ReadonlyMap<string, string> = new Map([
  ['apache-2.0', 'Apache License 2.0'],
  ['mit', 'MIT License'],
  ['bsd-2-clause', 'BSD 2-Clause License'],
  ['bsd-3-clause', 'BSD 3-Clause License'],
  ['cc0-1.0', 'Creative Commons Zero 1.0'],
  ['cc-by-4.0', 'Creative Commons Attribution 4.0'],
  ['unlicense', 'The Unlicense'],
]);

const QWEN_RESEARCH: Licence = {
  id: 'qwen-research',
  name: 'Qwen Research License Agreement',
  summary:
    'Non-commercial use only: research and evaluation. Commercial use needs a licence from Alibaba Cloud. ' +
    'Copies have to carry the licence and a notice.',
  commercialUse: false,
  mustAccept: true,
};

const QWEN: Licence = {
  id: 'qwen',
  name: 'Qwen License Agreement',
  summary:
    'Commercial use is allowed; a product with more than 100 million monthly active users needs a licence from Alibaba Cloud. ' +
    'Copies have to carry the licence and a notice, and models improved with it have to say so.',
  commercialUse: true,
  mustAccept: true,
};

const APACHE = permissive('apache-2.0');

/** The published family: base, instruction-tuned and quantized checkpoints of one size share their terms. */
const FAMILIES: readonly { readonly repo: RegExp; readonly licence: Licence }[] = [
  { repo: /^qwen\/qwen2\.5-vl-3b(?![0-9])/i, licence: QWEN_RESEARCH },
  { repo: /^qwen\/qwen2\.5-vl-7b(?![0-9])/i, licence: APACHE },
  { repo: /^qwen\/qwen2\.5-vl-32b(?![0-9])/i, licence: APACHE },
  { repo: /^qwen\/qwen2\.5-vl-72b(?![0-9])/i, licence: QWEN },
];

/**
 * The terms of `repo`. The strictest of three counts: what is known of the family, what the card claims, and what is known of the
 * checkpoints that this one was made from; a fine-tune cannot shake off the terms of what it was tuned from.
 */
export function licenceOfRepo(repo: string, claim: LicenceClaim): Licence {
  const known = [repo, ...claim.baseModels].flatMap((name) => familyLicence(name) ?? []);
  const claimed = claimedLicence(claim);
  if (claimed === undefined) return known.find(({ mustAccept }) => mustAccept) ?? familyLicence(repo) ?? UNKNOWN;
  const binding = [...known, claimed].filter(({ mustAccept }) => mustAccept);
  return binding.find(({ commercialUse }) => commercialUse === false) ?? binding[0] ?? claimed;
}

const UNKNOWN: Licence = {
  id: 'unknown',
  name: 'No licence is named',
  summary: 'The model card names no licence. Without one, nothing is allowed but what the law allows.',
  mustAccept: true,
};

function familyLicence(repo: string): Licence | undefined {
  return FAMILIES.find((family) => family.repo.test(repo))?.licence;
}

function claimedLicence({ license, licenseName }: LicenceClaim): Licence | undefined {
  const id = license?.toLowerCase();
  if (id !== undefined && PERMISSIVE.has(id)) return permissive(id);
  // Cards of licences without an identifier say "other"; their name is then in a field of its own.
  const name = id === undefined || id === 'other' ? licenseName : license;
  if (name === undefined) return id === undefined ? undefined : UNKNOWN;
  const own = [QWEN_RESEARCH, QWEN].find((licence) => licence.id === name.toLowerCase());
  return own ?? { id: name, name, summary: restrictions(name), ...commercialUseOf(name), mustAccept: true };
}

const NON_COMMERCIAL = /research|non-?commercial|(?:^|-)nc(?:-|$)/i;

function restrictions(name: string): string {
  return NON_COMMERCIAL.test(name)
    ? 'By its name for non-commercial use only. Read its text before you use the checkpoint.'
    : 'Not one of the well-known permissive licences. Read its text before you use the checkpoint.';
}

function commercialUseOf(name: string): { readonly commercialUse?: false } {
  return NON_COMMERCIAL.test(name) ? { commercialUse: false } : {};
}

function permissive(id: string): Licence {
  return {
    id,
    name: PERMISSIVE.get(id) ?? id,
    summary: 'Commercial use is allowed; keep the notices.',
    commercialUse: true,
    mustAccept: false,
  };
}

/** `true`: the person agreed beforehand, by a flag. A function is asked when an agreement is needed. */
export type LicenceAnswer = boolean | ((licence: Licence) => boolean | Promise<boolean>);

/** @throws {LongwatchError} `licence_not_accepted` */
export async function requireAcceptance(repo: string, licence: Licence, answer: LicenceAnswer): Promise<void> {
  if (!licence.mustAccept) return;
  if (typeof answer === 'function' ? await answer(licence) : answer) return;
  throw new LongwatchError(
    'licence_not_accepted',
    `${repo} stands under the ${licence.name}, and it was not accepted. ${licence.summary}`,
    { hint: 'Read the licence on the page of the model; if you agree, pull again with --accept-licence.' },
  );
}
