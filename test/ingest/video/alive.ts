/** That an engine is gone when its reader is. */

import { expect, vi } from 'vitest';

/** Child processes and worker threads of this process that are still alive. */
function alive(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => name === 'ProcessWrap' || name === 'Worker' || name === 'MessagePort');
}

/** The system takes a moment to report what has ended. */
export async function expectNothingAlive(): Promise<void> {
  await vi.waitFor(() => expect(alive()).toEqual([]));
}
