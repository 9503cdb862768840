/**
 * ffmpeg's worker, reading the video by byte ranges as it goes: a file of any size costs the few megabytes that are kept here. What
 * ffmpeg mounts is `{ url, size }` in place of a `Blob`; what reads it is this file's own `FileReaderSync`.
 */

import '/assets/ffmpeg/worker.js';

/** Bytes that are asked for at once, and how many such blocks are kept. */
const BLOCK = 512 * 1024;
const BLOCKS_KEPT = 24;

/** By place in the file, the least recently used first. @type {Map<number, Uint8Array>} */
const blocks = new Map();
/** What they are of. */
let cachedUrl;

/** The part of a `Blob` that ffmpeg's file system uses. */
class RangeFile {
  constructor(url, size, start = 0, end = size) {
    Object.assign(this, { url, whole: size, start, end });
  }

  get size() {
    return this.end - this.start;
  }

  slice(start, end) {
    return new RangeFile(this.url, this.whole, this.start + start, Math.min(this.end, this.start + end));
  }
}

class RangeReader {
  readAsArrayBuffer({ url, whole, start, end }) {
    const bytes = new Uint8Array(Math.max(0, end - start));
    for (let at = start; at < end; ) {
      const block = blockAt(url, whole, Math.floor(at / BLOCK));
      const part = block.subarray(at % BLOCK, (at % BLOCK) + end - at);
      bytes.set(part, at - start);
      at += part.length;
    }
    return bytes.buffer;
  }
}

function blockAt(url, whole, number) {
  if (url !== cachedUrl) blocks.clear();
  cachedUrl = url;
  const known = blocks.get(number);
  const block = known ?? fetchBlock(url, number * BLOCK, Math.min(whole, (number + 1) * BLOCK));
  blocks.delete(number);
  blocks.set(number, block);
  if (blocks.size > BLOCKS_KEPT) blocks.delete(blocks.keys().next().value);
  return block;
}

/** ffmpeg reads as a program does: it waits. In a worker that holds nobody up. */
function fetchBlock(url, start, end) {
  const request = new XMLHttpRequest();
  request.open('GET', url, false);
  request.responseType = 'arraybuffer';
  request.setRequestHeader('Range', `bytes=${start}-${end - 1}`);
  request.send();
  if (request.status !== 206) throw new Error(`The server answered with ${request.status}.`);
  return new Uint8Array(request.response);
}

self.FileReaderSync = RangeReader;
const inner = self.onmessage;
self.onmessage = (event) => {
  const blobs = event.data.type === 'MOUNT' ? event.data.data.options?.blobs : undefined;
  for (const blob of blobs ?? []) blob.data = new RangeFile(blob.data.url, blob.data.size);
  return inner({ data: event.data });
};
