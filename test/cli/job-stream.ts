/** A reader of the stream of jobs that knows only what the format of server-sent events says. */

export interface JobUpdate {
  readonly id: string;
  readonly job: {
    readonly id: string;
    readonly state: string;
    readonly stage: string;
    readonly progress: number;
    readonly video_id?: string;
  };
}

/** @param lastId of the event that was heard last */
export async function openStream(url: string, lastId?: string) {
  const abort = new AbortController();
  const headers: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': lastId };
  const response = await fetch(`${url}/v1/events/stream`, { headers, signal: abort.signal });
  if (response.status !== 200) throw new Error(`The stream was refused with ${response.status}.`);
  const updates = read(response);
  return {
    /** The next update that is like this. */
    async until(wanted: (job: JobUpdate['job']) => boolean): Promise<JobUpdate> {
      for (;;) {
        const { done, value } = await updates.next();
        if (done) throw new Error('The stream ended.');
        if (wanted(value.job)) return value;
      }
    },
    close: () => abort.abort(),
  };
}

/** Node cancels the body of a response that nobody holds any more, so it is the response that is read. */
async function* read(response: Response): AsyncGenerator<JobUpdate> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const data = field('data');
      if (data !== undefined) yield { id: field('id') ?? '', job: JSON.parse(data) };
    }
  }
}
