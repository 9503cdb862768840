import { readFileSync } from 'node:fs';
import type { Seconds } from '../../src/time.js';

/** USER_HZ of Linux. */
const TICKS_PER_SECOND = 100;

/** Processor time of all children of this process that have ended, and of theirs. Linux only; 0 elsewhere. */
export function childCpu(): Seconds {
  try {
    const [, fields = ''] = readFileSync('/proc/self/stat', 'utf8').split(') ');
    const [userTicks = '0', systemTicks = '0'] = fields.split(' ').slice(13, 15);
    return (Number(userTicks) + Number(systemTicks)) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}
