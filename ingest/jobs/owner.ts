/** Who holds a lease: a process, named so that another one on the same machine can tell whether it still lives. */

import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';
import { isProcessAlive } from '../../src/process.js';

/**
 * `<place>/<process id>/<random>`. The place is the running system and its process-id namespace where Linux says so: two containers
 * may share a host name, yet process 7 of one is not process 7 of the other. Elsewhere it is the host name.
 */
export function ownerName(unique: string): string {
  return `${place()}/${process.pid}/${unique}`;
}

/** Whether `owner` is a process of this place that no longer runs. False when that cannot be told. */
export function isGone(owner: string): boolean {
  const [where, pid] = owner.split('/');
  return where === place() && /^[1-9]\d*$/.test(pid ?? '') && !isProcessAlive(Number(pid));
}

let known: string | undefined;

function place(): string {
  known ??= linuxPlace() ?? os.hostname().replaceAll('/', '_');
  return known;
}

function linuxPlace(): string | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}
