/** Files that are videos by their container only: enough for a watcher, which decodes nothing. */

/** A box of an MP4. */
export function box(type: string, content: Uint8Array | number, declared?: number): Buffer {
  const body = typeof content === 'number' ? Buffer.alloc(content, 7) : content;
  const head = Buffer.alloc(8);
  head.writeUInt32BE(declared ?? 8 + body.length);
  head.write(type, 4, 'latin1');
  return Buffer.concat([head, body]);
}

/** A whole MP4 whose content depends on `name`; the moov box, without which nothing plays, comes last. */
export function mp4(name: string, mediaBytes = 200): Buffer {
  return Buffer.concat([
    box('ftyp', Buffer.from('isom0000')),
    box('mdat', mediaBytes),
    box('moov', Buffer.from(name.padEnd(40))),
  ]);
}

/** A Matroska file: EBML header, then a segment of a stated or, while it is recorded, unknown length. */
export function matroska(segmentBytes: number, stated: number | 'unknown' = segmentBytes): Buffer {
  const size = Buffer.alloc(8, 0xff);
  if (stated !== 'unknown') size.writeBigUInt64BE(BigInt(stated) | (1n << 56n));
  else size[0] = 0x01;
  const ebml = Buffer.concat([Buffer.from([0x1a, 0x45, 0xdf, 0xa3, 0x84]), Buffer.alloc(4)]);
  return Buffer.concat([ebml, Buffer.from([0x18, 0x53, 0x80, 0x67]), size, Buffer.alloc(segmentBytes, 3)]);
}

/** An AVI of a stated length. */
export function avi(bytes: number, stated: number = bytes): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(stated);
  return Buffer.concat([Buffer.from('RIFF'), size, Buffer.from('AVI '), Buffer.alloc(bytes - 4)]);
}
