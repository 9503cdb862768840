/** Who holds a lease: a process, named so that another one on the same machine can tell whether it still lives. */

import { readFileSync, readlinkSync } from 'node:fs';
import os from 'node:os';

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
  if (where !== place() || !/^\d+$/.test(pid ?? '')) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
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
