/** Server-sent events: what every stream of them has in common. */

/** Media type of a stream. */
export const EVENT_STREAM = 'text/event-stream';

/** Kept by nobody on the way, and handed on piece by piece. */
export const EVENT_STREAM_HEADERS = {
  'Content-Type': EVENT_STREAM,
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
} as const;

/** Milliseconds of silence after which `STILL_HERE` shows that the connection lives. */
export const HEARTBEAT = 15_000;

/** A comment, which clients pass over. */
export const STILL_HERE = ': still here\n\n';

/** One event. @param id what a client sends back as `Last-Event-ID` */
export function serverSentEvent(name: string, data: unknown, id?: string | number): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Waits for what comes, and says `silence` at every heartbeat until then: a model may think for minutes. */
export async function* orSilence<T>(coming: Promise<T>): AsyncGenerator<T | 'silence'> {
  // A client that leaves during a heartbeat leaves nobody to hear how it ended.
  coming.catch(() => undefined);
  for (;;) {
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<'silence'>((resolve) => {
      timer = setTimeout(() => resolve('silence'), HEARTBEAT);
    });
    const waited = await Promise.race([coming, silence]).finally(() => clearTimeout(timer));
    yield waited;
    if (waited !== 'silence') return;
  }
}
