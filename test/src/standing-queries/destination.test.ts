import { describe, expect, it } from 'vitest';
import { checkedDestination, guardedLookup, isPublicAddress } from '../../../src/standing-queries/destination.js';
import { postNotice } from '../../../src/standing-queries/post.js';
import { openReceiver } from './receiver.js';

describe('an address', () => {
  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '198.18.0.1',
    '::1',
    '::',
    'fe80::1',
    'fc00::1',
    'fd12:3456::1',
    'ff02::1',
    '::ffff:127.0.0.1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001:db8::1',
    '2001::1',
    'nonsense',
  ])('%s is not on the public internet', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it.each([
    '1.1.1.1',
    '172.15.0.1',
    '172.32.0.1',
    '100.63.255.255',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '::ffff:8.8.8.8',
  ])('%s is', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe('a destination', () => {
  it.each([
    ['ftp://example.org/x', 'Notices do not go over ftp.'],
    ['file:///etc/passwd', 'Notices do not go over file.'],
    ['javascript:alert(1)', 'Notices do not go over javascript.'],
    ['/relative', 'The url is not one.'],
    ['https://user:word@example.org/', 'The url carries a user or a password.'],
    ['http://127.0.0.1:7333/', '"127.0.0.1" is not on the public internet, so no notices go there.'],
    // Other spellings of the same address, which the URL parser makes one.
    ['http://2130706433/', '"127.0.0.1" is not on the public internet, so no notices go there.'],
    ['http://0x7f.1/', '"127.0.0.1" is not on the public internet, so no notices go there.'],
    ['http://[::1]/', '"::1" is not on the public internet, so no notices go there.'],
    ['http://[::ffff:10.0.0.1]/', '"::ffff:a00:1" is not on the public internet, so no notices go there.'],
    [
      'http://169.254.169.254/latest/meta-data',
      '"169.254.169.254" is not on the public internet, so no notices go there.',
    ],
  ])('%s is refused', (url, message) => {
    expect(() => checkedDestination(url, [])).toThrowError(
      expect.objectContaining({ code: 'invalid_input', pointer: '/url', message }),
    );
  });

  it('in a private network is allowed by its name in the configuration, and by that name only', () => {
    expect(checkedDestination('http://10.0.0.5:8080/hook', ['10.0.0.5']).port).toBe('8080');
    expect(() => checkedDestination('http://10.0.0.6/', ['10.0.0.5'])).toThrow();
    expect(checkedDestination('http://127.0.0.1/', 'all').hostname).toBe('127.0.0.1');
    expect(checkedDestination('https://example.org/', []).hostname).toBe('example.org');
  });

  it('whose name leads into this machine is refused at the connection', async () => {
    const find = (privateHosts: readonly string[]) =>
      new Promise((resolve) => {
        guardedLookup('localhost', privateHosts)('localhost', { all: false }, (error, address) =>
          resolve(error?.message ?? address),
        );
      });
    expect(await find([])).toBe('"localhost" is not on the public internet, so no notices go there.');
    expect(await find(['LOCALHOST'])).toMatch(/^(127\.0\.0\.1|::1)$/);
  });
});

describe('an attempt', () => {
  const options = { privateHosts: 'all', timeout: 300 } as const;

  it('does not reach what its name hides, whatever the port', async () => {
    const receiver = await openReceiver();
    const { port } = new URL(receiver.url);
    await expect(postNotice(`http://localhost:${port}/`, '{}', {}, { privateHosts: [] })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    expect(receiver.received).toEqual([]);
    await receiver.close();
  });

  it('does not follow a redirect', async () => {
    const receiver = await openReceiver((n, path) =>
      path === '/elsewhere' ? { status: 204 } : { status: 307, headers: { location: '/elsewhere', n: String(n) } },
    );
    expect(await postNotice(receiver.url, '{}', {}, options)).toEqual({ status: 307 });
    expect(receiver.received.map(({ path }) => path)).toEqual(['/']);
    await receiver.close();
  });

  it('ends when nobody answers in time, or nobody is there', async () => {
    const receiver = await openReceiver(() => undefined);
    await expect(postNotice(receiver.url, '{}', {}, options)).rejects.toMatchObject({
      code: 'download_failed',
      message: expect.stringContaining('there was no answer within 0.3 s'),
    });
    await receiver.close();
    await expect(postNotice(receiver.url, '{}', {}, options)).rejects.toMatchObject({ code: 'download_failed' });
  });

  it('hears when it should come back', async () => {
    const receiver = await openReceiver(() => ({ status: 429, headers: { 'retry-after': '7' } }));
    expect(await postNotice(receiver.url, '{}', {}, options)).toEqual({ status: 429, retryAfter: 7000 });
    await receiver.close();
  });
});
