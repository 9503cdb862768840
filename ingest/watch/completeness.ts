/**
 * Whether a file is as long as its container says. Only the headers are read. Formats without a stated length (transport streams, live
 * Matroska) are as complete as they are; a decoder says later how far they go.
 */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

export type Completeness = { readonly complete: true } | { readonly complete: false; readonly why: string };

/** Boxes of an MP4 that are walked at the top level: more is a damaged file or a long fragmented one, which plays up to any length. */
const BOXES_MAX = 2_000;
/** The head of a file in which the length of a Matroska segment stands. */
const HEAD_BYTES = 4_096;
const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;

const COMPLETE: Completeness = { complete: true };

/** @throws {NodeJS.ErrnoException} when the file cannot be opened or read */
export async function completenessOf(file: string, sizeBytes: number): Promise<Completeness> {
  // Between the look at the folder and this moment, a pipe may have come into the file's place.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const head = await read(handle, 0, 12);
    if (head.length < 12) return { complete: false, why: `it has ${head.length} bytes` };
    const type = head.toString('latin1', 4, 8);
    if (/^(ftyp|styp|moov|mdat|moof|sidx|free|skip|wide|pnot)$/.test(type)) return await mp4(handle, sizeBytes);
    if (head.readUInt32BE(0) === EBML) return matroska(await read(handle, 0, HEAD_BYTES), sizeBytes);
    if (head.toString('latin1', 0, 4) === 'RIFF') return upTo(8 + head.readUInt32LE(4), sizeBytes, 'RIFF list');
    if (head.every((byte) => byte === 0)) return { complete: false, why: 'it begins with zeros' };
    return COMPLETE;
  } finally {
    await handle.close();
  }
}

/** The moov box says where the frames lie: without it nothing plays. The last box must end in the file. */
async function mp4(handle: FileHandle, sizeBytes: number): Promise<Completeness> {
  let moov = false;
  let media = false;
  let at = 0;
  for (let boxes = 0; boxes < BOXES_MAX && at < sizeBytes; boxes++) {
    const head = await read(handle, at, 16);
    if (head.length < 8) return { complete: false, why: 'its last box is cut off' };
    const type = head.toString('latin1', 4, 8);
    const size = boxSize(head);
    if (!/^[\x20-\x7e\xa9]{4}$/.test(type) || size === undefined) {
      // Some programs leave padding behind the last box.
      return moov && media ? COMPLETE : { complete: false, why: `at byte ${at} there is no box yet` };
    }
    moov ||= type === 'moov';
    media ||= type === 'mdat';
    // Size 0 means "to the end of the file", however long that is.
    if (size === 0) break;
    if (at + size > sizeBytes)
      return { complete: false, why: `the ${type} box ends ${at + size - sizeBytes} bytes after the file` };
    at += size;
  }
  return moov ? COMPLETE : { complete: false, why: 'it has no moov box yet' };
}

/** Undefined for a size that no box can have. */
function boxSize(head: Buffer): number | undefined {
  const size = head.readUInt32BE(0);
  if (size === 0) return head.readUInt32BE(4) === 0 ? undefined : 0;
  if (size !== 1) return size >= 8 ? size : undefined;
  return head.length < 16 ? undefined : Number(head.readBigUInt64BE(8));
}

/** EBML header, then the segment with its length, which is unknown while it is being recorded. */
function matroska(head: Buffer, sizeBytes: number): Completeness {
  const ebml = element(head, 0);
  if (!ebml || ebml.size === undefined) return COMPLETE;
  const segment = element(head, ebml.body + ebml.size);
  if (!segment || segment.id !== SEGMENT || segment.size === undefined) return COMPLETE;
  return upTo(segment.body + segment.size, sizeBytes, 'segment');
}

function upTo(end: number, sizeBytes: number, what: string): Completeness {
  return end <= sizeBytes
    ? COMPLETE
    : { complete: false, why: `its ${what} ends ${end - sizeBytes} bytes after the file` };
}

interface Element {
  readonly id: number;
  /** Where its content begins. */
  readonly body: number;
  /** Undefined: unknown. */
  readonly size: number | undefined;
}

function element(bytes: Buffer, at: number): Element | undefined {
  const id = variableInteger(bytes, at, true);
  const size = id && variableInteger(bytes, at + id.length, false);
  if (!id || !size) return undefined;
  return { id: id.value, body: at + id.length + size.length, size: size.unknown ? undefined : size.value };
}

/** EBML's integers: the leading zeros of the first byte tell the length. An id keeps its marker, a size drops it; all ones is unknown. */
function variableInteger(bytes: Buffer, at: number, marker: boolean) {
  const first = bytes[at];
  if (first === undefined || first === 0) return undefined;
  const length = Math.clz32(first) - 23;
  if (at + length > bytes.length) return undefined;
  const mask = 0xff >> length;
  let value = marker ? first : first & mask;
  let unknown = (first & mask) === mask;
  for (let i = 1; i < length; i++) {
    value = value * 256 + (bytes[at + i] ?? 0);
    unknown &&= bytes[at + i] === 0xff;
  }
  return { value, length, unknown };
}

async function read(handle: FileHandle, at: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(buffer, 0, bytes, at);
  return buffer.subarray(0, bytesRead);
}
