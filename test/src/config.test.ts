import { mkdtempSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.js';

describe('settings', () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-config-'));
  const file = path.join(folder, 'settings.json');
  writeFileSync(file, JSON.stringify({ library: '/from/file', port: 1111, threads: 3 }));

  it('have defaults that bind to this machine only', () => {
    expect(loadConfig({}, {})).toMatchObject({
      library: path.resolve('longwatch-library'),
      host: '127.0.0.1',
      port: 7333,
      decoder: 'auto',
      roots: [],
    });
  });

  it('are taken from the command line before the environment before the file', () => {
    const env = { LONGWATCH_PORT: '2222', LONGWATCH_LIBRARY: '/from/env' };
    expect(loadConfig({ config: file, library: '/from/flag' }, env)).toMatchObject({
      library: '/from/flag',
      port: 2222,
      threads: 3,
    });
  });

  it('leave the number of decoding engines to the decoder unless one is given', () => {
    expect(loadConfig({}, {})).not.toHaveProperty('decodeWorkers');
    expect(loadConfig({}, { LONGWATCH_DECODE_WORKERS: '3' }).decodeWorkers).toBe(3);
  });

  it('keep models in the library unless a folder for them is named', () => {
    expect(loadConfig({ library: '/films' }, {}).models).toBe('/films/models');
    expect(loadConfig({ library: '/films' }, { LONGWATCH_MODELS: '/weights' }).models).toBe('/weights');
    expect(loadConfig({ models: '/mine' }, { LONGWATCH_MODELS: '/weights' }).models).toBe('/mine');
  });

  it("leave the address of a database as it is, and keep what is this machine's in a folder", () => {
    const library = 'postgres://ann@db.example/films';
    const inDatabase = {
      library,
      state: path.resolve('longwatch-library'),
      models: path.resolve('longwatch-library/models'),
    };
    expect(loadConfig({ library }, {})).toMatchObject(inDatabase);
    expect(loadConfig({ library }, { LONGWATCH_STATE: '/cache' })).toMatchObject({
      library,
      state: '/cache',
      models: '/cache/models',
    });
    expect(loadConfig({ library: '/films' }, { LONGWATCH_STATE: '/cache' }).state).toBe('/films');
  });

  it.each([
    [{ LONGWATCH_PORT: 'http' }, 'port'],
    [{ LONGWATCH_DECODER: 'vlc' }, 'LONGWATCH_DECODER'],
    [{ LONGWATCH_TOKEN: 'short' }, 'token'],
    [{ LONGWATCH_DECODE_WORKERS: '0' }, 'decodeWorkers'],
    [{ LONGWATCH_CONFIG: path.join(folder, 'missing.json') }, 'missing.json'],
  ])('that are wrong are named: %j', (env, named) => {
    expect(() => loadConfig({}, env)).toThrowError(
      expect.objectContaining({ code: 'bad_config', message: expect.stringContaining(named) }),
    );
  });

  it('refuse a name in the file that means nothing', () => {
    const typo = path.join(folder, 'typo.json');
    writeFileSync(typo, JSON.stringify({ libary: '/x' }));
    expect(() => loadConfig({ config: typo }, {})).toThrowError(expect.objectContaining({ code: 'bad_config' }));
  });

  it('name tokens with scopes, a limit and private hosts in the file', () => {
    const api = path.join(folder, 'api.json');
    const tokens = [{ token: 'a-token-that-reads', scopes: ['read'] }];
    const webhooks = { privateHosts: ['10.0.0.5'] };
    writeFileSync(api, JSON.stringify({ tokens, rateLimit: { perMinute: 600 }, webhooks }));
    expect(loadConfig({ config: api }, {})).toMatchObject({
      tokens,
      rateLimit: { perMinute: 600, burst: 60 },
      privateHosts: ['10.0.0.5'],
    });
    expect(loadConfig({}, {})).toMatchObject({ tokens: [], privateHosts: [] });
    expect(loadConfig({}, {})).not.toHaveProperty('rateLimit');
    writeFileSync(api, JSON.stringify({ tokens: [{ token: 'a-token-that-reads', scopes: ['all'] }] }));
    expect(() => loadConfig({ config: api }, {})).toThrowError(expect.objectContaining({ code: 'bad_config' }));
  });

  it('obey NO_COLOR', () => {
    expect(loadConfig({}, {}).color).toBe(true);
    expect(loadConfig({}, { NO_COLOR: '1' }).color).toBe(false);
  });

  it('hold the folders that are watched, each with its rules', () => {
    const watched = path.join(folder, 'watch.json');
    writeFileSync(
      watched,
      JSON.stringify({ watch: [{ dir: 'films', exclude: ['*.tmp.mp4'], profile: 'fast', tags: ['Team B', 'a'] }] }),
    );
    const rule = {
      dir: path.resolve('films'),
      include: [],
      exclude: ['*.tmp.mp4'],
      profile: 'fast',
      tags: ['a', 'team b'],
    };
    expect(loadConfig({ config: watched }, {}).watch).toEqual([rule]);
    expect(loadConfig({}, {}).watch).toEqual([]);
    writeFileSync(watched, JSON.stringify({ watch: [{ dir: 'films', tags: ['\u200b'] }] }));
    expect(() => loadConfig({ config: watched }, {})).toThrow(/films: A tag is empty/);
    expect(loadConfig({ watch: [{ dir: '/other' }] }, {}).watch).toMatchObject([{ dir: '/other', tags: [] }]);
  });

  it('arm a failpoint, or say how one is written', () => {
    const armed = (text: string) => loadConfig({}, { LONGWATCH_FAILPOINT: text }).failpoint;
    expect(armed('commit')).toEqual({ name: 'commit', after: 1, action: 'kill' });
    expect(armed('decode:after=30:action=enospc')).toEqual({ name: 'decode', after: 30, action: 'enospc' });
    for (const wrong of ['nowhere', 'commit:after=0', 'commit:after=x', 'commit:action=cry'])
      expect(() => armed(wrong)).toThrow(expect.objectContaining({ code: 'bad_config' }));
    expect(loadConfig({}, {}).failpoint).toBeUndefined();
  });

  describe('of model servers', () => {
    const settings = (remote: object, env: Record<string, string> = {}) => {
      const named = path.join(folder, 'remote.json');
      writeFileSync(named, JSON.stringify({ remote }));
      return loadConfig({ config: named }, env).remote;
    };

    it('name one, with the key of the environment', () => {
      expect(settings({ url: 'http://a', model: 'qwen', concurrency: 2 }, { LONGWATCH_REMOTE_KEY: 'sk' })).toEqual({
        model: 'qwen',
        endpoints: [{ url: 'http://a', model: 'qwen', key: 'sk', concurrency: 2 }],
      });
    });

    it('name several, each with its own name of the model, its key and its places', () => {
      const endpoints = [{ url: 'http://a' }, { url: 'http://b', model: 'qwen-awq', keyEnv: 'KEY_B', concurrency: 8 }];
      expect(settings({ model: 'qwen', concurrency: 2, hedge: false, endpoints }, { KEY_B: 'sk-b' })).toEqual({
        model: 'qwen',
        hedge: false,
        endpoints: [
          { url: 'http://a', model: 'qwen', concurrency: 2 },
          { url: 'http://b', model: 'qwen-awq', key: 'sk-b', concurrency: 8 },
        ],
      });
    });

    it('are the addresses of the environment before those of the file', () => {
      const env = { LONGWATCH_REMOTE_URL: 'http://c,http://d' };
      expect(settings({ url: 'http://a', model: 'qwen' }, env)?.endpoints.map(({ url }) => url)).toEqual([
        'http://c',
        'http://d',
      ]);
    });

    it.each([
      [{ url: 'http://a', model: 'm', endpoints: [{ url: 'http://b' }] }, 'give url or endpoints'],
      [{ model: 'm' }, 'give url or endpoints'],
      [{ model: 'm', endpoints: [{ url: 'http://b', keyEnv: 'UNSET' }] }, 'UNSET'],
    ])('are refused when they are %j', (remote, named) => {
      expect(() => settings(remote)).toThrowError(
        expect.objectContaining({ code: 'bad_config', message: expect.stringContaining(named) }),
      );
    });
  });

  describe('of object storage', () => {
    it('are the usual variables of AWS, and the keys are nowhere else', () => {
      const env = {
        AWS_ENDPOINT_URL: 'http://general:9000',
        AWS_ENDPOINT_URL_S3: 'http://storage:9000',
        AWS_DEFAULT_REGION: 'eu-north-1',
        AWS_ACCESS_KEY_ID: 'A',
        AWS_SECRET_ACCESS_KEY: 'B',
        AWS_SESSION_TOKEN: 'C',
      };
      expect(loadConfig({}, env).objects).toEqual({
        endpoint: 'http://storage:9000',
        region: 'eu-north-1',
        accessKeyId: 'A',
        secretAccessKey: 'B',
        sessionToken: 'C',
      });
      const named = path.join(folder, 'objects.json');
      writeFileSync(named, JSON.stringify({ objects: { endpoint: 'http://file', pathStyle: false } }));
      expect(loadConfig({ config: named }, { AWS_REGION: 'x' }).objects).toEqual({
        endpoint: 'http://file',
        region: 'x',
        pathStyle: false,
      });
    });

    it('keep places of objects among the roots as they are', () => {
      const { roots } = loadConfig({}, { LONGWATCH_ROOTS: ['/films', 's3://films/a', '/more'].join(path.delimiter) });
      expect(roots).toEqual(['/films', 's3://films/a', '/more']);
    });
  });
});
