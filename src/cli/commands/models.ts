import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Command, Option } from 'commander';
import { verifyTowers } from '../../clip/build.js';
import { familyOf } from '../../clip/config.js';
import { findTowers, listTowers } from '../../clip/installed-towers.js';
import { loadConfig } from '../../config.js';
import { LongwatchError } from '../../errors.js';
import { buildModel } from '../../qwen/build.js';
import { verifyBuiltModel } from '../../qwen/built-model.js';
import { readJson } from '../../qwen/checkpoint.js';
import { type CaseReport, compareWithGolden, type TensorReport } from '../../qwen/compare.js';
import { DEVICES, type DeviceChoice } from '../../qwen/device.js';
import {
  findModel,
  type InstalledModel,
  listModels,
  modelDirectory,
  modelName,
  removeModel,
  removeModelFolder,
} from '../../qwen/installed-models.js';
import type { BuiltManifest } from '../../qwen/manifest.js';
import { DTYPES, type Dtype } from '../../qwen/weight-format.js';
import { BUNDLED_NAME, bundledCheckpoint } from '../../weights/bundled.js';
import { type CommonOptions, terminalOf, verb, withSignal } from '../command.js';
import { EXIT, table, visible } from '../terminal.js';
import { addTowers, licenceJson, licenceNote, towersJson, towersRow, withProgress } from './models-pictures.js';
import { pullCommand } from './models-pull.js';

interface ModelsOptions extends CommonOptions {
  readonly models?: string;
}
interface AddOptions extends ModelsOptions {
  readonly name?: string;
  readonly dtype?: Dtype;
  readonly adapter?: string;
}
interface CompareOptions extends CommonOptions {
  readonly dtype: Dtype;
  readonly device: DeviceChoice;
  readonly work?: string;
}

function modelsVerb(name: string, description: string): Command {
  return verb(name, description).option(
    '--models <dir>',
    'the folder of built models (default: models in the library)',
  );
}

function dtypeOption(fallback: Dtype): Option {
  return new Option('--dtype <form>', 'how most weights are stored').choices(DTYPES).default(fallback);
}

function modelsFolder({ library, models, config }: ModelsOptions): string {
  return loadConfig({ library, models, config }).models;
}

const listCommand = modelsVerb('list', 'the models that are built').action(async (options: ModelsOptions) => {
  const terminal = terminalOf(options);
  const folder = modelsFolder(options);
  const [models, towers] = await Promise.all([listModels(folder), listTowers(folder)]);
  terminal.document({ folder, models: [...models.map(modelJson), ...towers.map(towersJson)] });
  for (const row of table([...models.map(modelRow), ...towers.map(towersRow)])) terminal.line(row);
  for (const model of [...models, ...towers]) if (model.state === 'damaged') terminal.problem(model.problem);
  if (models.length + towers.length === 0)
    terminal.note(`There is no model in ${folder}. Add one: longwatch models add CHECKPOINT_DIR`);
});

const addCommand = modelsVerb(
  'add',
  'build a model from a Qwen2.5-VL checkpoint, or from one of CLIP or SigLIP, which compare pictures: config.json, tokenizer.json, safetensors',
)
  .alias('build')
  .argument(
    '<checkpoint>',
    'folder of the checkpoint, as it is published; or `nano`, the small one that comes along and knows drawn films only',
  )
  .option('--name <name>', 'what to call it (default: the folder and the form)')
  .addOption(
    new Option(
      '--dtype <form>',
      'how most weights are stored (default: q4; fp16 for CLIP and SigLIP, fp32 for nano)',
    ).choices(DTYPES),
  )
  .option('--adapter <dir>', 'folder of a LoRA adapter to merge into the weights')
  .action((given: string, options: AddOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const bundled = given === BUNDLED_NAME;
      const checkpoint = bundled ? bundledCheckpoint() : given;
      await requireCheckpoint(checkpoint);
      const folder = modelsFolder(options);
      if (familyOf(await readJson(path.join(checkpoint, 'config.json'), 'optional')))
        return addTowers(terminal, checkpoint, folder, options, signal);
      const dtype = options.dtype ?? (bundled ? 'fp32' : 'q4');
      const name = options.name ?? (bundled ? BUNDLED_NAME : modelName(given, dtype));
      const started = Date.now();
      await withProgress(terminal, name, (show) =>
        buildModel(checkpoint, modelDirectory(folder, name), {
          dtype,
          ...(options.adapter === undefined ? {} : { adapter: options.adapter }),
          onProgress: ({ stage, doneBytes, totalBytes }) => show(stage, doneBytes, totalBytes),
          signal,
        }),
      );
      const model = await findModel(folder, name);
      terminal.document({ model: modelJson(model), took_ms: Date.now() - started });
      for (const row of table([modelRow(model)])) terminal.line(row);
      const licence = model.state === 'ready' ? model.licence : undefined;
      const sees = model.state === 'ready' ? model.config.sees : undefined;
      if (sees !== undefined) terminal.note(`It knows ${sees} and is used only by name: LONGWATCH_MODEL=${name}.`);
      terminal.note(licenceNote(licence));
      return EXIT.done;
    }),
  );

const removeCommand = modelsVerb('remove', 'delete a built model; the checkpoint stays')
  .argument('<name>', 'as `longwatch models list` shows it')
  .action(async (name: string, options: ModelsOptions) => {
    const terminal = terminalOf(options);
    const folder = modelsFolder(options);
    const towers = await findTowers(folder, name);
    if (towers) await removeModelFolder(towers.directory);
    terminal.document({ removed: towers ? towersJson(towers) : modelJson(await removeModel(folder, name)) });
    terminal.line(name);
  });

const verifyCommand = modelsVerb('verify', 'read every byte of a built model again, and run its self-test')
  .argument('<name>', 'as `longwatch models list` shows it')
  .action((name: string, options: ModelsOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      const folder = modelsFolder(options);
      const towers = await findTowers(folder, name);
      const { directory } = towers ?? (await findModel(folder, name));
      const { files, selfTest } = await withProgress<Pick<BuiltManifest, 'files' | 'selfTest'>>(
        terminal,
        name,
        (show) =>
          (towers ? verifyTowers : verifyBuiltModel)(directory, {
            onProgress: ({ doneBytes, totalBytes }) => show('hashing', doneBytes, totalBytes),
            signal,
          }),
      );
      terminal.document({ name, files: files.length, self_test: selfTest !== undefined, ok: true });
      terminal.line(`${name} is as it was built: ${files.length} files${selfTest ? ' and the self-test' : ''}.`);
      return EXIT.done;
    }),
  );

const compareCommand = verb(
  'compare',
  'does a checkpoint compute here what the reference implementation computes?',
  'settings',
)
  .argument('<checkpoint>', 'folder of the checkpoint')
  .argument('<golden>', 'folder with golden.json and golden.safetensors')
  .addOption(dtypeOption('fp32'))
  .addOption(new Option('--device <device>', 'where it runs').choices(DEVICES).default('cpu'))
  .option('--work <dir>', "where the model is built meanwhile (default: the system's temporary folder)")
  .action((checkpoint: string, golden: string, options: CompareOptions) =>
    withSignal(options, async ({ terminal, signal }) => {
      await requireCheckpoint(checkpoint);
      const { threads } = loadConfig({ config: options.config });
      const started = Date.now();
      const { cases, worst, greedy, ok, dtype, device } = await withProgress(terminal, 'compare', (show) =>
        compareWithGolden(checkpoint, golden, {
          dtype: options.dtype,
          device: options.device,
          ...(threads === undefined ? {} : { threads }),
          ...(options.work === undefined ? {} : { workFolder: options.work }),
          onBuild: ({ stage, doneBytes, totalBytes }) => show(stage, doneBytes, totalBytes),
          signal,
        }),
      );
      terminal.document({
        ok,
        dtype,
        device,
        took_ms: Date.now() - started,
        greedy,
        ...(worst ? { worst: { kind: worst.kind, case: worst.case, ...tensorJson(worst) } } : {}),
        cases: cases.map(caseJson),
      });
      for (const row of table(cases.flatMap(caseRows))) terminal.line(row);
      const good = cases.filter((report) => report.ok).length;
      terminal.line(
        `${good} of ${cases.length} cases agree, greedy tokens are equal in ${greedy.equal} of ${greedy.of}${
          worst ? `; nearest to its bound: ${worst.kind} "${worst.case}", ${worst.name}` : ''
        }.`,
      );
      return ok ? EXIT.done : EXIT.failed;
    }),
  );

export const modelsCommand = new Command('models').description(
  'the models that describe or compare pictures: fetch one, build one, what is built, check it',
);
for (const command of [listCommand, pullCommand, addCommand, removeCommand, verifyCommand, compareCommand])
  modelsCommand.addCommand(command.exitOverride());

/** @throws {LongwatchError} with what to give instead, for the folders that people give by mistake */
async function requireCheckpoint(directory: string): Promise<void> {
  const has = (name: string) =>
    stat(path.join(directory, name)).then(
      () => true,
      () => false,
    );
  if (await has('manifest.json'))
    throw new LongwatchError('invalid_input', `${directory} is a built model, not a checkpoint.`, {
      path: directory,
      hint: 'Give the folder that it was built from, or move this one into the folder of models as it is.',
    });
  if (!(await has('.')))
    throw new LongwatchError('file_not_found', `There is no folder ${directory}.`, {
      path: directory,
      hint: 'Give the folder of a checkpoint, where config.json is; `longwatch models pull NAME` fetches one.',
    });
  if ((await has('adapter_config.json')) && !(await has('config.json')))
    throw new LongwatchError('invalid_input', `${directory} is a LoRA adapter, which works only on its base model.`, {
      path: directory,
      hint: `Run \`longwatch models add BASE_CHECKPOINT --adapter ${directory}\`.`,
    });
}

function modelRow(model: InstalledModel): string[] {
  if (model.state === 'damaged') return [model.name, 'DAMAGED', visible(model.problem.message)];
  const { text, vision } = model.config;
  return [
    model.name,
    model.manifest.dtype,
    `${(model.bytes / 1e9).toFixed(2)} GB`,
    `${text.layers} layers of ${text.hiddenSize}, vision ${vision.depth} of ${vision.hiddenSize}`,
    visible(model.licence?.id ?? 'licence unknown'),
    ...(model.config.sees === undefined ? [] : [`knows ${visible(model.config.sees)}`]),
  ];
}

function modelJson(model: InstalledModel) {
  const { name, directory, state } = model;
  if (model.state === 'damaged')
    return { name, path: directory, state, error: { code: model.problem.code, detail: model.problem.message } };
  const { manifest, config, bytes, licence } = model;
  return {
    name,
    path: directory,
    state,
    purpose: 'description',
    dtype: manifest.dtype,
    architecture: manifest.architecture,
    layers: config.text.layers,
    hidden_size: config.text.hiddenSize,
    bytes,
    created_by: manifest.createdBy,
    adapter: manifest.adapter !== undefined,
    sees: config.sees ?? null,
    licence: licenceJson(licence),
  };
}

function tensorJson({ name, absolute, relative, spread, judged, bound }: TensorReport) {
  return { tensor: name, absolute, relative, spread, judged, bound };
}

function caseJson({ kind, name, ok, tensors, equal, differences }: CaseReport) {
  return { kind, name, ok, tensors: tensors.map(tensorJson), ...(equal === undefined ? {} : { equal, differences }) };
}

function caseRows({ kind, name, ok, tensors, equal, differences }: CaseReport): string[][] {
  const verdict = ok ? 'ok' : 'DIFFERS';
  const title = visible(name);
  if (tensors.length === 0) {
    const what = differences.map((difference) => difference.name).join(', ');
    return [[verdict, kind, title, equal ? 'equal' : `${what} not equal`, '', '']];
  }
  return tensors.map((tensor) => [
    verdict,
    kind,
    title,
    tensor.name,
    `absolute ${tensor.absolute.toExponential(1)}`,
    `${tensor.judged} ${tensor[tensor.judged].toExponential(1)} of ${tensor.bound.toExponential(0)}`,
  ]);
}
