/**
 * Ingests files that may do anything, one after the other, in a process of its own: `ingest-process.ts` watches it and ends it. Arguments:
 * library folder, decoder. Reads paths, answers with what became of each.
 */

import { EXPORT_FORMATS } from '../../dist/api/export/formats.js';
import { openLibrary } from '../../dist/index/store/sqlite-library.js';
import { chooseDecoder } from '../../dist/ingest/video/choose.js';
import { loadConfig } from '../../dist/src/config.js';
import { toLongwatchError } from '../../dist/src/errors.js';
import { ingestVideo } from '../../dist/src/pipeline.js';

const [directory, kind] = process.argv.slice(2);
const library = openLibrary(directory, { create: true });
const decoder = await chooseDecoder({ kind, searchPath: loadConfig({}).searchPath });

/** Frames of the decode in progress. */
let frames = 0;
/** What of the decoder an ingest uses, with the frames counted. */
const counting = {
  id: decoder.id,
  version: () => decoder.version(),
  probe: (...asked) => decoder.probe(...asked),
  subtitles: (...asked) => decoder.subtitles(...asked),
  async *decode(...asked) {
    const decode = decoder.decode(...asked);
    try {
      for (let step = await decode.next(); ; step = await decode.next()) {
        if (step.done) return step.value;
        if (step.value.kind === 'thumbnail') frames++;
        yield step.value;
      }
    } finally {
      await decode.return();
    }
  },
};

async function ingest(file, withExports) {
  frames = 0;
  try {
    const { video, outcome } = await ingestVideo({ decoder: counting, library }, file);
    return {
      kind: 'read',
      outcome,
      frames,
      video,
      texts: library.events(video.id, { limit: 500 }).items.map(({ text }) => text),
      exports: withExports ? await exportsOf(video) : {},
    };
  } catch (thrown) {
    const { code, message, hint, path, cause } = toLongwatchError(thrown, file);
    const evidence = code === 'internal' && cause instanceof Error ? { stack: cause.stack } : {};
    return { kind: 'refused', code, message, hint, path, ...evidence };
  }
}

async function exportsOf(video) {
  const files = {};
  for (const format of ['srt', 'vtt', 'json', 'chapters', 'csv', 'ffmetadata']) {
    files[format] = '';
    const layer = format === 'srt' || format === 'vtt' ? 'events' : EXPORT_FORMATS[format].defaultLayer(library, video);
    for await (const piece of EXPORT_FORMATS[format].render(library, video, layer)) files[format] += piece;
  }
  return files;
}

process.on('message', async ({ ask, file, withExports }) => {
  process.send(ask === 'check' ? await library.check() : await ingest(file, withExports));
});
// The parent is gone.
process.on('disconnect', () => process.exit());
