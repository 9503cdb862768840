/**
 * Places where a process can be made to die or a write to fail, so that tests see what is left behind. They lie at every write and do
 * nothing unless one is armed (`LONGWATCH_FAILPOINT`).
 */

import { LongwatchError } from './errors.js';

export const FAILPOINTS = [
  'claim',
  'decode',
  'infer',
  'commit',
  'committed',
  'conclude',
  'stretch',
  'job_end',
  'index_tmp',
  'index_rename',
  'export_tmp',
  'export_rename',
] as const;
export type FailpointName = (typeof FAILPOINTS)[number];

/** `kill`: the process ends as by `kill -9`. `stop`: it stands still until it gets a SIGCONT. `throw`: an error inside Longwatch. `enospc`, `eio`: as if the disk were full or broken. */
export const FAILPOINT_ACTIONS = ['kill', 'stop', 'throw', 'enospc', 'eio'] as const;
export type FailpointAction = (typeof FAILPOINT_ACTIONS)[number];

export interface ArmedFailpoint {
  readonly name: FailpointName;
  /** Fires when the place is passed for this time, counted from 1, and never again. */
  readonly after: number;
  readonly action: FailpointAction;
}

let armed: { readonly failpoint: ArmedFailpoint; passed: number } | undefined;

/** Arms one failpoint of this process, or none. */
export function armFailpoint(failpoint: ArmedFailpoint | undefined): void {
  armed = failpoint && { failpoint, passed: 0 };
}

/**
 * Passes the place. Inside a transaction it fails before the commit.
 * @throws what the armed action says, once
 */
export function failpoint(name: FailpointName): void {
  if (armed?.failpoint.name !== name) return;
  armed.passed += 1;
  const { after, action } = armed.failpoint;
  if (armed.passed === after) fail(name, action);
}

/** @throws {LongwatchError} `bad_config` */
export function parseFailpoint(text: string): ArmedFailpoint {
  const [name, ...fields] = text.split(':');
  const given = new Map(fields.map((field) => [field.split('=')[0], field.slice(field.indexOf('=') + 1)]));
  const known = FAILPOINTS.find((candidate) => candidate === name);
  const action = FAILPOINT_ACTIONS.find((candidate) => candidate === (given.get('action') ?? 'kill'));
  const after = Number(given.get('after') ?? 1);
  if (known && action && Number.isSafeInteger(after) && after > 0) return { name: known, after, action };
  throw new LongwatchError('bad_config', `"${text}" is no failpoint.`, {
    hint: `Write NAME:after=N:action=${FAILPOINT_ACTIONS.join('|')} with a name of ${FAILPOINTS.join(', ')}.`,
  });
}

function fail(name: FailpointName, action: FailpointAction): void {
  switch (action) {
    case 'kill':
      process.kill(process.pid, 'SIGKILL');
      return;
    case 'stop':
      process.kill(process.pid, 'SIGSTOP');
      return;
    case 'throw':
      throw new LongwatchError('internal', `The failpoint ${name} was reached.`);
    case 'enospc':
      throw Object.assign(new Error(`ENOSPC: no space left on device, failpoint ${name}`), { code: 'ENOSPC' });
    case 'eio':
      throw Object.assign(new Error(`EIO: i/o error, failpoint ${name}`), { code: 'EIO' });
    default:
      action satisfies never;
  }
}
