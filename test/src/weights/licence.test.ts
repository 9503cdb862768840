/** Which terms count. */

import { describe, expect, it } from 'vitest';
import { type Licence, licenceOfRepo, requireAcceptance } from '../../../src/weights/licence.js';

const NOTHING = { baseModels: [] };
const terms = ({ id, mustAccept, commercialUse }: Licence) => [id, mustAccept, commercialUse];

describe('the published checkpoints', () => {
  it.each([
    ['Qwen/Qwen2.5-VL-3B-Instruct', ['qwen-research', true, false]],
    ['Qwen/Qwen2.5-VL-3B-Instruct-AWQ', ['qwen-research', true, false]],
    ['Qwen/Qwen2.5-VL-7B-Instruct', ['apache-2.0', false, true]],
    ['Qwen/Qwen2.5-VL-32B-Instruct', ['apache-2.0', false, true]],
    ['Qwen/Qwen2.5-VL-72B-Instruct', ['qwen', true, true]],
  ])('%s has known terms, whatever its card leaves out', (repo, expected) => {
    expect(terms(licenceOfRepo(repo, NOTHING))).toEqual(expected);
  });

  it('of 3B stay non-commercial when the card claims otherwise', () => {
    const claim = { license: 'apache-2.0', baseModels: [] };
    expect(terms(licenceOfRepo('Qwen/Qwen2.5-VL-3B-Instruct', claim))).toEqual(['qwen-research', true, false]);
  });

  it('of 7B have to be accepted when the card no longer says Apache', () => {
    const claim = { license: 'other', licenseName: 'new-terms', baseModels: [] };
    expect(terms(licenceOfRepo('Qwen/Qwen2.5-VL-7B-Instruct', claim))).toEqual(['new-terms', true, undefined]);
  });

  it('of 72B name the number of users in plain words', () => {
    expect(licenceOfRepo('Qwen/Qwen2.5-VL-72B-Instruct', NOTHING).summary).toContain(
      '100 million monthly active users',
    );
  });
});

describe('other checkpoints', () => {
  it.each([
    [{ license: 'apache-2.0' }, ['apache-2.0', false, true]],
    [{ license: 'MIT' }, ['mit', false, true]],
    [{ license: 'other', licenseName: 'Qwen-Research' }, ['qwen-research', true, false]],
    [{ license: 'cc-by-nc-4.0' }, ['cc-by-nc-4.0', true, false]],
    [{ license: 'gpl-3.0' }, ['gpl-3.0', true, undefined]],
    [{ license: 'other' }, ['unknown', true, undefined]],
    [{ license: 'constructor' }, ['constructor', true, undefined]],
    [{}, ['unknown', true, undefined]],
  ])('with the card %j', (claim, expected) => {
    expect(terms(licenceOfRepo('somebody/vl', { baseModels: [], ...claim }))).toEqual(expected);
  });

  it('made from 3B carry its terms, whatever their card claims', () => {
    const claim = { license: 'apache-2.0', baseModels: ['Qwen/Qwen2.5-VL-3B-Instruct'] };
    expect(terms(licenceOfRepo('somebody/tuned', claim))).toEqual(['qwen-research', true, false]);
  });

  it('made from 7B keep their own', () => {
    const claim = { license: 'mit', baseModels: ['Qwen/Qwen2.5-VL-7B-Instruct'] };
    expect(terms(licenceOfRepo('somebody/tuned', claim))).toEqual(['mit', false, true]);
  });

  it('made from 7B without a word have to be accepted', () => {
    expect(terms(licenceOfRepo('somebody/tuned', { baseModels: ['Qwen/Qwen2.5-VL-7B'] }))).toEqual([
      'unknown',
      true,
      undefined,
    ]);
  });

  it('are not taken for the family because their name resembles it', () => {
    expect(terms(licenceOfRepo('Qwen/Qwen2.5-VL-7B0-Huge', NOTHING))).toEqual(['unknown', true, undefined]);
  });
});

describe('agreement', () => {
  const research = licenceOfRepo('Qwen/Qwen2.5-VL-3B-Instruct', NOTHING);
  const apache = licenceOfRepo('Qwen/Qwen2.5-VL-7B-Instruct', NOTHING);

  it.each([true, () => true, async () => true])('is given by %s', async (answer) => {
    await expect(requireAcceptance('a/b', research, answer)).resolves.toBeUndefined();
  });

  it.each([false, () => false, async () => false])('is not given by %s', async (answer) => {
    await expect(requireAcceptance('a/b', research, answer)).rejects.toMatchObject({ code: 'licence_not_accepted' });
  });

  it('is not asked for where none is needed', async () => {
    const never = () => {
      throw new Error('asked');
    };
    await expect(requireAcceptance('a/b', apache, never)).resolves.toBeUndefined();
  });
});
