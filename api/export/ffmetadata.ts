/** Chapters as ffmpeg's metadata file, which `ffmpeg -i in.mp4 -i chapters.txt -map_chapters 1` writes into a container. */

import type { Chapter } from '../schema/chapter.js';
import { wholeMilliseconds } from './cue.js';
import { cleanLine } from './text.js';

export async function* renderFfmetadata(title: string, chapters: AsyncIterable<Chapter>): AsyncGenerator<string> {
  yield `;FFMETADATA1\ntitle=${escapeValue(cleanLine(title))}\n`;
  for await (const chapter of chapters) {
    const start = wholeMilliseconds(chapter.start);
    const end = Math.max(wholeMilliseconds(chapter.end), start + 1);
    yield `\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=${start}\nEND=${end}\ntitle=${escapeValue(cleanLine(chapter.title))}\n`;
  }
}

function escapeValue(text: string): string {
  return text.replace(/[=;#\\]/g, '\\$&');
}
