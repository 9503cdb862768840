/** `longwatch models` for the models that compare pictures, and what it has in common with those that describe. */

import { buildTowers } from '../../clip/build.js';
import { TOWER_DTYPES } from '../../clip/graphs.js';
import { findTowers, type InstalledTowers } from '../../clip/installed-towers.js';
import { LongwatchError } from '../../errors.js';
import { modelDirectory, modelName } from '../../qwen/installed-models.js';
import type { Licence } from '../../weights/licence.js';
import { ProgressLine } from '../progress.js';
import { EXIT, type Terminal, table, visible } from '../terminal.js';

/** Builds a picture model and says what came of it. @throws {LongwatchError} `invalid_input` for a form that it has not; as `buildTowers` */
export async function addTowers(
  terminal: Terminal,
  checkpoint: string,
  folder: string,
  options: { readonly name?: string; readonly dtype?: string; readonly adapter?: string },
  signal: AbortSignal,
): Promise<number> {
  const dtype = TOWER_DTYPES.find((known) => known === (options.dtype ?? 'fp16'));
  if (dtype === undefined)
    throw new LongwatchError('invalid_input', `A picture model cannot be stored as ${options.dtype}.`, {
      hint: `It is stored as ${TOWER_DTYPES.join(' or ')}.`,
    });
  if (options.adapter !== undefined)
    throw new LongwatchError('invalid_input', 'Adapters cannot be merged into picture models.', {
      hint: 'Merge it with the tool that it was trained with, and add the result.',
    });
  const name = options.name ?? modelName(checkpoint, dtype);
  const started = Date.now();
  await withProgress(terminal, name, (show) =>
    buildTowers(checkpoint, modelDirectory(folder, name), {
      dtype,
      onProgress: ({ stage, doneBytes, totalBytes }) => show(stage, doneBytes, totalBytes),
      signal,
    }),
  );
  const model = await findTowers(folder, name);
  if (!model) throw new LongwatchError('internal', `${name} was built and is not there.`, { path: folder });
  terminal.document({ model: towersJson(model), took_ms: Date.now() - started });
  for (const row of table([towersRow(model)])) terminal.line(row);
  terminal.note('Videos that are ingested from now on are searched by their pictures too; ingest others again.');
  terminal.note(licenceNote(model.state === 'ready' ? model.licence : undefined));
  return EXIT.done;
}

export function towersRow(model: InstalledTowers): string[] {
  if (model.state === 'damaged') return [model.name, 'DAMAGED', visible(model.problem.message)];
  const { manifest, config, bytes, licence } = model;
  const side = config.pictures.imageSize;
  return [
    model.name,
    manifest.dtype,
    `${(bytes / 1e9).toFixed(2)} GB`,
    `${config.family}, pictures of ${side} × ${side}, ${manifest.dim} numbers`,
    visible(licence?.id ?? 'licence unknown'),
  ];
}

export function towersJson(model: InstalledTowers) {
  const { name, directory, state } = model;
  if (model.state === 'damaged')
    return { name, path: directory, state, error: { code: model.problem.code, detail: model.problem.message } };
  const { manifest, config, bytes, licence } = model;
  return {
    name,
    path: directory,
    state,
    purpose: 'pictures',
    dtype: manifest.dtype,
    architecture: manifest.architecture,
    picture_size: config.pictures.imageSize,
    dimensions: manifest.dim,
    bytes,
    created_by: manifest.createdBy,
    licence: licenceJson(licence),
  };
}

export function licenceJson(licence: Licence | undefined) {
  if (!licence) return null;
  const { id, name, summary, commercialUse } = licence;
  return { id, name, summary, commercial_use: commercialUse ?? null };
}

export function licenceNote(licence: Licence | undefined): string {
  return licence
    ? `Licence: ${licence.name}. ${licence.summary}`
    : 'Licence: the checkpoint does not say; ask whoever gave it to you.';
}

/** A progress line while `work` runs. */
export async function withProgress<T>(
  terminal: Terminal,
  title: string,
  work: (show: (stage: string, doneBytes: number, totalBytes: number) => void) => Promise<T>,
): Promise<T> {
  const line = new ProgressLine(terminal, title);
  const started = Date.now();
  try {
    return await work((stage, doneBytes, totalBytes) => {
      const progress = totalBytes === 0 ? 0 : doneBytes / totalBytes;
      const passed = Date.now() - started;
      line.show({ stage, progress, ...(progress > 0 ? { eta: (passed / progress) * (1 - progress) } : {}) });
    });
  } finally {
    line.end();
  }
}
