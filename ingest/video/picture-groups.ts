/**
 * Packets of a video stream → its frames in presentation order, in groups that begin with a key frame. Pure; at most two groups are held.
 *
 * Packets come in the order in which they are decoded. A key frame is a cut when every frame that is decoded before it is also shown
 * before it. Frames that are decoded behind it and shown before it (an open group of pictures) belong to the group before.
 */

export interface VideoPacket {
  /** In ticks of the stream's time base; undefined when the container states none. */
  readonly pts: number | undefined;
  readonly key: boolean;
  /** Never shown: hidden by an edit list. */
  readonly hidden: boolean;
  /** The container itself says that it is damaged. */
  readonly corrupt: boolean;
}

export interface PictureGroup {
  /** Timestamps in presentation order; the first one is the key frame's, except in the first group, which holds whatever comes before the second cut. */
  readonly pts: readonly number[];
  /** First frame of the next group; undefined behind the last. */
  readonly end: number | undefined;
}

/** Most frames of two groups: an hour at 25 frames a second. */
const MAX_HELD_FRAMES = 90_000;

/** Packet in a line of `PACKET_LIST`; undefined for any other line. */
export function readVideoPacket(line: string): VideoPacket | undefined {
  const [, pts = '', flags = ''] = /^(-?\d+|N\/A),([KDC_]{2,4})/.exec(line) ?? [];
  if (flags === '') return undefined;
  return {
    pts: pts === 'N/A' ? undefined : Number(pts),
    key: flags.includes('K'),
    hidden: flags.includes('D'),
    corrupt: flags.includes('C'),
  };
}

export class PictureGroups {
  /** The group before the last cut, to which frames of an open group may still come. */
  #before: number[] | undefined;
  #beforeStart = Number.NEGATIVE_INFINITY;
  /** The group behind the last cut. */
  #after: number[] = [];
  #cut = Number.NEGATIVE_INFINITY;
  #latest = Number.NEGATIVE_INFINITY;
  #obstacle: string | undefined;

  /** Why the order of presentation cannot be told from the packets; from then on no group comes. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The next packet in the order of decoding → the group that is complete by it. */
  push({ pts, key, hidden, corrupt }: VideoPacket): PictureGroup | undefined {
    if (this.#obstacle !== undefined || hidden) return undefined;
    if (corrupt) return this.#stop('a packet is damaged');
    if (pts === undefined) return this.#stop('a packet has no timestamp');
    let done: PictureGroup | undefined;
    if (key && pts > this.#latest && this.#after.length > 0) {
      done = this.#before && this.#group(this.#before, this.#cut);
      [this.#before, this.#beforeStart] = [this.#after, this.#cut];
      [this.#after, this.#cut] = [[pts], pts];
    } else if (pts >= this.#cut) {
      this.#after.push(pts);
    } else if (this.#before && pts >= this.#beforeStart) {
      this.#before.push(pts);
    } else {
      return this.#stop('timestamps go back behind a key frame');
    }
    this.#latest = Math.max(this.#latest, pts);
    if (this.#after.length + (this.#before?.length ?? 0) > MAX_HELD_FRAMES)
      return this.#stop('key frames are too rare');
    return done;
  }

  /** Call behind the last packet. */
  finish(): PictureGroup[] {
    const last = [this.#before && this.#group(this.#before, this.#cut), this.#group(this.#after, undefined)];
    return this.#obstacle === undefined ? last.filter((group) => group !== undefined) : [];
  }

  #group(pts: number[], end: number | undefined): PictureGroup | undefined {
    pts.sort((a, b) => a - b);
    if (pts.some((tick, index) => tick === pts[index + 1])) return this.#stop('two packets have one timestamp');
    return pts.length === 0 ? undefined : { pts, end };
  }

  #stop(reason: string): undefined {
    this.#obstacle ??= reason;
    return undefined;
  }
}
