/** Subtitle files that lie beside a video. The one file that knows `media-captions`. */

import { createHash } from 'node:crypto';
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { parseText } from 'media-captions';
import type { ObjectStore } from '../../../ingest/objects/object-store.js';
import { isObjectUrl } from '../../../ingest/objects/object-url.js';
import type { SourceCue } from '../../../ingest/video/decoder.js';
import { oneLine } from '../../errors.js';
import { cleanText } from '../../tasks/words.js';

/** By extension. */
const FORMATS = { '.srt': 'srt', '.vtt': 'vtt', '.ass': 'ssa', '.ssa': 'ssa' } as const;

/** A subtitle file of ten hours is about 1 MB; a larger one than this is no subtitle file. */
const MAX_BYTES = 16 * 1024 * 1024;
/** Objects that are looked at for a video's subtitles. */
const MAX_BESIDE = 100;

/** `film.en.srt`, `film.en-US.forced.vtt`: what may stand between the video's name and the extension. */
const SUFFIX = /^(?:\.([A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*))?(?:\.(forced|sdh|cc|default))?$/;

export interface CaptionFile {
  readonly path: string;
  /** BCP 47 tag from the file name, as written there. */
  readonly language?: string;
  /** Hash of the content: another content is another ingest. */
  readonly sha256: string;
  /** On the player's clock, sorted by start; markup is still in the text. */
  readonly cues: readonly SourceCue[];
  /** One sentence about what was skipped, or undefined when every line was read. */
  readonly warning?: string;
}

/**
 * Reads every subtitle file beside `videoPath` that carries its name, sorted by file name.
 * A file that cannot be read is not an error of the video: it is left out and named in `problems`.
 */
export async function readCaptionFiles(
  videoPath: string,
  objects?: ObjectStore,
  signal?: AbortSignal,
): Promise<{ files: CaptionFile[]; problems: string[] }> {
  const files: CaptionFile[] = [];
  const problems: string[] = [];
  const neighbours = isObjectUrl(videoPath)
    ? await objectsBeside(videoPath, objects, signal)
    : await filesBeside(videoPath).catch((error: unknown) => {
        problems.push(`Subtitle files beside it were not looked for: ${complaint(error)}`);
        return [];
      });
  for (const { name, type, language, read } of captionsOf(videoPath, neighbours)) {
    try {
      files.push(await parseCaptions(path.join(path.dirname(videoPath), name), type, await read(), language));
    } catch (error) {
      if (signal?.aborted) throw error;
      problems.push(`The subtitle file ${oneLine(name)} was not read: ${complaint(error)}`);
    }
  }
  return { files, problems };
}

function complaint(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error));
}

/** Something in the folder of a video. */
interface Neighbour {
  readonly name: string;
  readonly read: () => Promise<Uint8Array>;
}

/** @throws what the system says when the folder cannot be listed */
async function filesBeside(videoPath: string): Promise<Neighbour[]> {
  const folder = path.dirname(videoPath);
  const names = await readdir(folder);
  return names.sort().map((name) => ({ name, read: () => readBeside(path.join(folder, name)) }));
}

/** Those whose names begin like the video's. */
async function objectsBeside(
  videoUrl: string,
  objects: ObjectStore | undefined,
  signal: AbortSignal | undefined,
): Promise<Neighbour[]> {
  const found: Neighbour[] = [];
  const stem = videoUrl.slice(0, videoUrl.length - path.posix.extname(videoUrl).length);
  for await (const facts of objects?.list(stem, signal) ?? []) {
    if (path.posix.dirname(facts.url) !== path.posix.dirname(videoUrl)) continue;
    found.push({
      name: path.posix.basename(facts.url),
      read: async () => {
        refuseTooLarge(facts.sizeBytes);
        const reader = objects?.openVersion(facts);
        try {
          return (await reader?.read(0, facts.sizeBytes)) ?? new Uint8Array(0);
        } finally {
          reader?.close();
        }
      },
    });
    if (found.length === MAX_BESIDE) break;
  }
  return found;
}

function captionsOf(videoPath: string, neighbours: readonly Neighbour[]) {
  const stem = path.basename(videoPath, path.extname(videoPath));
  return neighbours.flatMap(({ name, read }) => {
    const extension = path.extname(name).toLowerCase();
    const suffix = name.startsWith(stem) ? SUFFIX.exec(name.slice(stem.length, -extension.length || undefined)) : null;
    return suffix && isFormat(extension) ? [{ name, read, type: FORMATS[extension], language: suffix[1] }] : [];
  });
}

function refuseTooLarge(size: number): void {
  if (size > MAX_BYTES) throw new Error(`it has ${size} bytes; the limit is ${MAX_BYTES}.`);
}

async function readBeside(file: string): Promise<Uint8Array> {
  // It is taken because of its name, not because somebody named it, so it may not lead anywhere else.
  if (!(await realpath(file)).startsWith((await realpath(path.dirname(file))) + path.sep))
    throw new Error('it is a link that leads out of its folder.');
  const facts = await stat(file);
  if (!facts.isFile()) throw new Error('it is not a regular file.');
  refuseTooLarge(facts.size);
  return readFile(file);
}

async function parseCaptions(
  file: string,
  type: 'srt' | 'vtt' | 'ssa',
  bytes: Uint8Array,
  language?: string,
): Promise<CaptionFile> {
  const parsed = await parseText(decodeText(bytes), { type, strict: false, errors: true });
  const cues = parsed.cues
    .map((cue) => ({ containerStart: cue.startTime, containerEnd: cue.endTime, text: cue.text }))
    .filter((cue) => Number.isFinite(cue.containerStart) && cue.containerEnd > cue.containerStart)
    .sort((a, b) => a.containerStart - b.containerStart);
  return {
    path: file,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    cues,
    ...(language === undefined ? {} : { language }),
    ...(parsed.errors.length === 0
      ? {}
      : {
          warning: `${oneLine(path.basename(file))}: ${parsed.errors.length} lines were not understood, first: ${complaintOf(parsed.errors[0]?.message ?? '')}.`,
        }),
  };
}

/** What Windows-1252 has at 0x80 to 0x9F; the five places that it leaves open stay control characters. */
const HIGH_CONTROLS = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ';

/** Longest piece of what the parser says, which repeats the line that it did not understand. */
const COMPLAINT_LENGTH = 160;

function complaintOf(message: string): string {
  const words = cleanText(message, COMPLAINT_LENGTH + 1).replace(/\.$/, '');
  return words.length > COMPLAINT_LENGTH ? `${words.slice(0, COMPLAINT_LENGTH)}…` : words;
}

/** UTF-16 by its mark, else UTF-8; bytes that are not UTF-8 are read as Windows-1252, which old subtitle files are written in. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder('utf-16be').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    // Node 20's own decoder of this name reads 0x80 to 0x9F as control characters.
    return Buffer.from(bytes)
      .toString('latin1')
      .replace(/[\u0080-\u009f]/g, (unit) => HIGH_CONTROLS[unit.charCodeAt(0) - 0x80] ?? unit);
  }
}

function isFormat(extension: string): extension is keyof typeof FORMATS {
  return extension in FORMATS;
}
