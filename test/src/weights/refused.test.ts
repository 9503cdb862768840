/** Servers that refuse, for good or for a while, and redirects that are not followed. */

import { describe, expect, it } from 'vitest';
import type { Fault, HubRequest } from './fake-hub.js';
import { useOneFileCase, WEIGHTS } from './one-file-case.js';
import { QUICK } from './pull-case.js';

const one = useOneFileCase();
const the = one.pulls;

describe('a server that refuses', () => {
  const always = (fault: Fault, server: HubRequest['server'] = 'hub') => {
    the.hub.fault = (request) => (request.server === server ? fault : undefined);
  };

  it.each<[number, Readonly<Record<string, string>>, string]>([
    [401, {}, 'unauthorized'],
    [401, { 'x-error-code': 'RepoNotFound' }, 'not_found'],
    [401, { 'x-error-code': 'GatedRepo' }, 'unauthorized'],
    [403, {}, 'forbidden'],
    [404, {}, 'not_found'],
    [418, {}, 'download_failed'],
  ])('with %i %j is asked once, and the error is %s', async (status, headers, code) => {
    always({ status, headers });
    const error = await the.pull().catch((thrown) => thrown);
    expect(error).toMatchObject({ code, message: expect.stringContaining(String(status)) });
    expect(error.hint).toBeTruthy();
    expect(the.hub.requests).toHaveLength(1);
  });

  it('a token for what has to be asked for says where to ask', async () => {
    always({ status: 403, headers: { 'x-error-code': 'GatedRepo', 'x-error-message': 'Ask the authors\u00e9' } });
    await expect(the.pull({ token: 'hf_token' })).rejects.toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('"Ask the authors"'),
      hint: expect.stringContaining('ask on its page'),
    });
  });

  it.each([
    [429, 'overloaded'],
    [500, 'download_failed'],
    [503, 'download_failed'],
  ])('with %i for ever is asked some times, and the error is %s', async (status, code) => {
    always({ status });
    await expect(the.pull()).rejects.toMatchObject({ code, message: expect.stringContaining(String(status)) });
    expect(the.hub.requests).toHaveLength(QUICK.attempts);
  });

  it.each([429, 500, 502, 503, 504])('with %i for a while is asked again', async (status) => {
    one.faultsOf(WEIGHTS, [{ status }, { status, headers: { 'retry-after': '1' } }]);
    await the.pull();
    one.expectWhole();
    expect(the.hub.downloads(WEIGHTS)).toHaveLength(3);
  });

  it('a link that has run out gets a new one from the endpoint', async () => {
    one.faultsOf(WEIGHTS, [{ status: 403 }]);
    await the.pull();
    one.expectWhole();
  });

  it.each(['ftp://127.0.0.1/x', 'file:///etc/passwd', 'http://user:word@127.0.0.1/x', 'http://', ''])(
    'by redirecting to %j is not followed',
    async (location) => {
      always({ status: 302, headers: { location } });
      const error = await the.pull({ token: 'hf_token' }).catch((thrown) => thrown);
      expect(error).toMatchObject({ code: 'download_failed' });
      expect(error.message).not.toContain('word');
      expect(the.hub.requests).toHaveLength(1);
    },
  );

  it('by redirecting without end is given up', async () => {
    always({ status: 302, headers: { location: '/again' } });
    await expect(the.pull()).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('without end'),
    });
    expect(the.hub.requests).toHaveLength(6);
  });

  it('with a link keeps its signature out of the message', async () => {
    always({ status: 500 }, 'cdn');
    const error = await the.pull().catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'download_failed', message: expect.stringContaining(the.hub.cdnHost) });
    expect(`${error.message} ${error.hint}`).not.toContain('secret');
  });

  it.each(['hub.example', 'ftp://hub.example', 'http://a:b@hub.example', 'http://hub.example/?x=1'])(
    'is not even asked at %j',
    async (endpoint) => {
      await expect(the.pull({ endpoint })).rejects.toMatchObject({ code: 'invalid_input' });
    },
  );
});
