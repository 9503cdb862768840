/** Waiting for something until something else comes first. */

import type { Milliseconds } from '../time.js';

/** Waits for the answer until the signal comes or the time is over, and says whether it had to stop. How the answer ends is for others to see. */
export async function outlasts(answer: Promise<unknown>, signal: AbortSignal, time?: Milliseconds): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const end = (stopped: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      resolve(stopped);
    };
    const onAbort = () => end(true);
    const timer = time === undefined ? undefined : setTimeout(onAbort, time);
    signal.addEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    const onEnd = () => end(false);
    answer.then(onEnd, onEnd);
  });
}

/** Waits for what takes a bounded time, unless the signal comes first. */
export async function settled(promise: Promise<unknown>, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    void promise.finally(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}
