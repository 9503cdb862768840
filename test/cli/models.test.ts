import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { longwatch } from './run.js';

const GOLDEN = fileURLToPath(new URL('../../fixtures/golden/', import.meta.url));
const LORA = path.join(GOLDEN, 'tiny-lora');
const WIDE = path.join(GOLDEN, 'tiny-wide');

const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-models-'));
afterAll(() => rmSync(folder, { recursive: true }));
const models = path.join(folder, 'models');

const run = (...args: string[]) => longwatch(['models', ...args], { env: { LONGWATCH_MODELS: models } });
const json = async (...args: string[]) => {
  const { exit, stdout } = await run(...args, '--json');
  return { exit, ...JSON.parse(stdout) };
};

describe('longwatch models', () => {
  it('says where it looked when there is no model', async () => {
    const { exit, stdout, stderr } = await run('list');
    expect([exit, stdout]).toEqual([0, '']);
    expect(stderr).toContain(models);
    expect(await json('list')).toEqual({ exit: 0, folder: models, models: [] });
  });

  it('builds a checkpoint, lists it, verifies it and removes it', async () => {
    const added = await json('add', path.join(LORA, 'checkpoint'), '--adapter', path.join(LORA, 'adapter'));
    expect(added).toMatchObject({
      exit: 0,
      model: { name: 'checkpoint-q4', state: 'ready', dtype: 'q4', layers: 2, hidden_size: 64, adapter: true },
    });
    const listed = await json('list');
    expect(listed.models).toEqual([added.model]);
    expect((await run('list')).stdout).toMatch(
      /^checkpoint-q4 {2}q4 {2}0\.00 GB {2}2 layers of 64, vision 2 of 32 {2}licence unknown\n$/,
    );
    expect(await json('verify', 'checkpoint-q4')).toMatchObject({ exit: 0, ok: true, self_test: true });
    expect(await run('remove', 'checkpoint-q4')).toMatchObject({ exit: 0, stdout: 'checkpoint-q4\n' });
    expect(readdirSync(models)).toEqual([]);
  });

  it('adds the one that comes along by its name, and says what it knows and that it is used only by name', async () => {
    const { exit, stdout, stderr } = await run('build', 'nano');
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^nano {2}fp32 .* mit {2}knows films of the drawn world only\n$/);
    expect(stderr).toContain('used only by name: LONGWATCH_MODEL=nano');
    expect(await json('verify', 'nano')).toMatchObject({ exit: 0, ok: true });
    expect((await run('remove', 'nano')).exit).toBe(0);
  });

  it('takes a name and a form, and refuses a name that is taken', async () => {
    const add = () => run('add', path.join(WIDE, 'checkpoint'), '--name', 'wide', '--dtype', 'fp32');
    expect(await add()).toMatchObject({ exit: 0, stdout: expect.stringMatching(/^wide {2}fp32 /) });
    const again = await add();
    expect(again.exit).toBe(1);
    expect(again.stderr).toContain('[conflict]');
  });

  it('finds damage: at once where a size has changed, by `verify` where a byte has', async () => {
    const built = path.join(models, 'wide');
    const bytes = path.join(models, 'byte');
    const size = path.join(models, 'size');
    cpSync(built, bytes, { recursive: true });
    cpSync(built, size, { recursive: true });
    appendFileSync(path.join(size, 'embeddings.bin'), 'x');
    writeFileSync(path.join(bytes, 'embeddings.bin'), 'damage', { flag: 'r+' });
    const states = (await json('list')).models.map((model: { name: string; state: string }) => [
      model.name,
      model.state,
    ]);
    expect(states).toEqual([
      ['byte', 'ready'],
      ['size', 'damaged'],
      ['wide', 'ready'],
    ]);
    expect((await run('list')).stderr).toContain('embeddings.bin has');
    for (const name of ['byte', 'size']) {
      const { exit, stderr } = await run('verify', name);
      expect(exit).toBe(1);
      expect(stderr).toContain('[bad_weights]');
      expect((await run('remove', name)).exit).toBe(0);
    }
  });

  it.each<[string, string[], number, string, string]>([
    ['a model that is not there', ['verify', 'nothing'], 1, '[not_found]', 'There is: wide.'],
    ['a path as a name', ['remove', '../models'], 2, '[invalid_input]', 'cannot be the name'],
    ['a draft as a name', ['remove', 'wide.building'], 2, '[invalid_input]', 'cannot be the name'],
    ['an adapter without its base', ['add', path.join(LORA, 'adapter')], 2, '[invalid_input]', '--adapter'],
    ['a folder that is not there', ['add', path.join(folder, 'nowhere')], 1, '[file_not_found]', 'config.json'],
    ['an unknown form', ['add', path.join(WIDE, 'checkpoint'), '--dtype', 'q3'], 2, 'q3', 'fp32'],
    ['a comparison with nothing', ['compare', WIDE], 2, 'golden', ''],
    [
      'goldens of another checkpoint',
      ['compare', path.join(LORA, 'checkpoint'), WIDE],
      2,
      '[invalid_input]',
      'other weights',
    ],
    [
      'a folder without goldens',
      ['compare', path.join(WIDE, 'checkpoint'), folder],
      1,
      '[file_not_found]',
      'golden.json',
    ],
  ])('%s is refused with what is wrong', async (_, args, code, evidence, hint) => {
    const { exit, stdout, stderr } = await run(...args);
    expect([exit, stdout]).toEqual([code, '']);
    expect(stderr).toContain(evidence);
    expect(stderr).toContain(hint);
  });

  it('passes over folders that are no models, and never removes one', async () => {
    const films = path.join(models, 'films');
    mkdirSync(films);
    writeFileSync(path.join(films, 'mine.txt'), 'mine');
    expect((await json('list')).models).toHaveLength(1);
    expect((await run('remove', 'films')).stderr).toContain('[not_found]');
    expect(existsSync(path.join(films, 'mine.txt'))).toBe(true);
  });

  it('stops building on Ctrl-C and leaves nothing', async () => {
    const { exit } = await longwatch(
      ['models', 'add', path.join(GOLDEN, 'tiny-broad/checkpoint'), '--name', 'stopped'],
      {
        env: { LONGWATCH_MODELS: models },
        onStart: (child) => {
          const watching = setInterval(() => {
            if (!existsSync(path.join(models, 'stopped.building'))) return;
            clearInterval(watching);
            child.kill('SIGINT');
          }, 5);
          child.once('exit', () => clearInterval(watching));
        },
      },
    );
    expect(exit).toBe(130);
    expect(readdirSync(models).filter((name) => name.startsWith('stopped'))).toEqual([]);
  });
});

describe('longwatch models compare', () => {
  it('agrees with the reference on every case and exits with 0', async () => {
    const report = await json('compare', path.join(WIDE, 'checkpoint'), WIDE, '--work', folder);
    expect(report).toMatchObject({ exit: 0, ok: true, dtype: 'fp32', device: 'cpu', greedy: { equal: 6, of: 6 } });
    expect(report.cases).toHaveLength(58);
    expect(report.cases.find((entry: { kind: string }) => entry.kind === 'vision').tensors[0]).toMatchObject({
      tensor: 'embeddings',
      judged: 'relative',
      bound: 1e-4,
    });
    expect(readdirSync(folder)).toEqual(['models']);
  });

  it('names the case that differs and exits with 1', async () => {
    const golden = path.join(folder, 'golden');
    cpSync(path.join(WIDE, 'golden.safetensors'), path.join(golden, 'golden.safetensors'));
    const stored = JSON.parse(readFileSync(path.join(WIDE, 'golden.json'), 'utf8'));
    stored.cases = stored.cases.filter((entry: { kind: string }) => entry.kind === 'text');
    stored.cases[0].ids.push(0);
    writeFileSync(path.join(golden, 'golden.json'), JSON.stringify(stored));
    const { exit, stdout } = await run('compare', path.join(WIDE, 'checkpoint'), golden, '--work', folder);
    expect(exit).toBe(1);
    expect(stdout.split('\n')[0]).toMatch(/^DIFFERS {2}text {2}plain +ids not equal/);
    expect(stdout).toContain('7 of 8 cases agree, greedy tokens are equal in 0 of 0.');
  });
});
