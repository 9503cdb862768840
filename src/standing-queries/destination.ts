/** Where notices may go. Whoever can make a standing query must not reach through it what only this machine can reach. */

import { type LookupAddress, lookup } from 'node:dns';
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net';
import { LongwatchError } from '../errors.js';

/** Hosts beside the public ones: as they stand in the URL, or all. */
export type PrivateHosts = readonly string[] | 'all';

/** Not one of these is on the public internet (the special-purpose registries of IANA, RFC 6890 and later). */
const PRIVATE_RANGES: readonly (readonly [address: string, prefix: number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
];
/** Of IPv6 only what is given out for global use is public, and of that not what is documentation or carries IPv4 inside. */
const GLOBAL_IPV6 = new BlockList();
GLOBAL_IPV6.addSubnet('2000::', 3, 'ipv6');
const PRIVATE = new BlockList();
for (const [address, prefix] of PRIVATE_RANGES) PRIVATE.addSubnet(address, prefix, 'ipv4');
for (const [address, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const)
  PRIVATE.addSubnet(address, prefix, 'ipv6');

/** Whether anybody on the internet can be reached under the address. */
export function isPublicAddress(address: string): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return isPublicAddress(mapped);
  if (isIPv6(address)) return GLOBAL_IPV6.check(address, 'ipv6') && !PRIVATE.check(address, 'ipv6');
  return isIP(address) === 4 && !PRIVATE.check(address, 'ipv4');
}

/**
 * Checks what an address says by itself; what its name leads to is checked at every connection.
 * @throws {LongwatchError} `invalid_input` that points at `/url`
 */
export function checkedDestination(text: string, privateHosts: PrivateHosts): URL {
  const refuse = (message: string, hint: string) =>
    new LongwatchError('invalid_input', message, { hint, pointer: '/url' });
  if (!URL.canParse(text)) throw refuse('The url is not one.', 'Give an absolute http or https URL.');
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw refuse(`Notices do not go over ${url.protocol.slice(0, -1)}.`, 'Give an http or https URL.');
  if (url.username !== '' || url.password !== '')
    throw refuse('The url carries a user or a password.', 'Notices are signed; check the signature instead.');
  const host = hostOf(url);
  if (isIP(host) !== 0 && !isPublicAddress(host) && !isAllowed(host, privateHosts)) throw refusedAddress(host);
  return url;
}

/**
 * Looks a name up for a connection and lets only those addresses through that may be reached. The connection is made to what is checked here, so
 * a name that leads elsewhere a moment later leads nowhere.
 */
export function guardedLookup(host: string, privateHosts: PrivateHosts): LookupFunction {
  return (name, options, callback) => {
    lookup(name, { ...options, all: true }, (error, found: LookupAddress[]) => {
      if (error) return callback(error, []);
      const free = isAllowed(host, privateHosts) ? found : found.filter(({ address }) => isPublicAddress(address));
      const [first] = free;
      if (!first) return callback(refusedAddress(host), []);
      if (options.all) callback(null, free);
      else callback(null, first.address, first.family);
    });
  };
}

/** The host without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

function isAllowed(host: string, privateHosts: PrivateHosts): boolean {
  return privateHosts === 'all' || privateHosts.some((name) => name.toLowerCase() === host.toLowerCase());
}

function refusedAddress(host: string): LongwatchError {
  return new LongwatchError('invalid_input', `"${host}" is not on the public internet, so no notices go there.`, {
    hint: 'Name it under webhooks.privateHosts in the configuration of the server to allow it.',
    pointer: '/url',
  });
}
