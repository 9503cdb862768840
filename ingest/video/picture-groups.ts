/**
 * Packets of a video stream → its frames in presentation order, in groups that begin with a key frame. Pure; at most two groups are held.
 *
 * Packets come in the order in which they are decoded. A key frame is a cut when every frame that is decoded before it is also shown
 * before it. Frames that are decoded behind it and shown before it (an open group of pictures) belong to the group before.
 */

export interface VideoPacket {
  /** In ticks of the stream's time base; undefined when the container states none. */
  readonly pts: number | undefined;
  /** When it is decoded; undefined when that cannot be told. */
  readonly dts: number | undefined;
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
  /** When its first frame and that of the next group are decoded. */
  readonly decoded: { readonly start: number | undefined; readonly end: number | undefined };
}

/** ffprobe's options for the list that `readVideoPacket` reads. */
export const VIDEO_PACKET_LIST = ['-show_entries', 'packet=pts,dts,flags', '-of', 'csv=p=0'] as const;

/** Most frames of two groups: an hour at 25 frames a second. */
const MAX_HELD_FRAMES = 90_000;

/** Packet in a line of `VIDEO_PACKET_LIST`; undefined for any other line. */
export function readVideoPacket(line: string): VideoPacket | undefined {
  const [, pts = '', dts = '', flags = ''] = /^(-?\d+|N\/A),(-?\d+|N\/A),([KDC_]{2,4})/.exec(line) ?? [];
  if (flags === '') return undefined;
  return {
    pts: pts === 'N/A' ? undefined : Number(pts),
    dts: dts === 'N/A' ? undefined : Number(dts),
    key: flags.includes('K'),
    hidden: flags.includes('D'),
    corrupt: flags.includes('C'),
  };
}

/** A group whose frames are not all there. */
interface OpenGroup {
  /** Frames before it belong to another group. */
  readonly start: number;
  readonly decodedStart: number | undefined;
  readonly pts: number[];
}

export class PictureGroups {
  /** The group before the last cut, to which frames of an open group may still come. */
  #before: OpenGroup | undefined;
  /** The group behind the last cut. */
  #after: OpenGroup = { start: Number.NEGATIVE_INFINITY, decodedStart: undefined, pts: [] };
  #latest = Number.NEGATIVE_INFINITY;
  #obstacle: string | undefined;

  /** Why the order of presentation cannot be told from the packets; from then on no group comes. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The next packet in the order of decoding → the group that is complete by it. */
  push({ pts, dts, key, hidden, corrupt }: VideoPacket): PictureGroup | undefined {
    if (this.#obstacle !== undefined || hidden) return undefined;
    if (corrupt) return this.#stop('a packet is damaged');
    if (pts === undefined) return this.#stop('a packet has no timestamp');
    let done: PictureGroup | undefined;
    if (key && pts > this.#latest && this.#after.pts.length > 0) {
      done = this.#before && this.#close(this.#before, this.#after);
      this.#before = this.#after;
      this.#after = { start: pts, decodedStart: dts, pts: [pts] };
    } else if (pts >= this.#after.start) {
      this.#after.pts.push(pts);
    } else if (this.#before && pts >= this.#before.start) {
      this.#before.pts.push(pts);
    } else {
      return this.#stop('timestamps go back behind a key frame');
    }
    this.#latest = Math.max(this.#latest, pts);
    const held = this.#after.pts.length + (this.#before?.pts.length ?? 0);
    if (held > MAX_HELD_FRAMES) return this.#stop('key frames are too rare');
    return done;
  }

  /** Call behind the last packet. */
  finish(): PictureGroup[] {
    const last = [this.#before && this.#close(this.#before, this.#after), this.#close(this.#after, undefined)];
    return this.#obstacle === undefined ? last.filter((group) => group !== undefined) : [];
  }

  #close({ pts, decodedStart }: OpenGroup, next: OpenGroup | undefined): PictureGroup | undefined {
    pts.sort((a, b) => a - b);
    if (pts.some((tick, index) => tick === pts[index + 1])) return this.#stop('two packets have one timestamp');
    if (pts.length === 0) return undefined;
    return { pts, end: next?.start, decoded: { start: decodedStart, end: next?.decodedStart } };
  }

  #stop(reason: string): undefined {
    this.#obstacle ??= reason;
    return undefined;
  }
}
