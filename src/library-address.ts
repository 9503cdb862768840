/** Where a library lies: in a folder, or in a PostgreSQL database that an address names. */

/** Whether it is the address of a database and no folder. */
export function isPostgresAddress(library: string): boolean {
  return /^postgres(ql)?:\/\//i.test(library);
}

/** What may be shown of what stands behind a `?`: which socket or host, and no more. */
const SHOWN = ['host', 'port'];

/**
 * An address as it may be shown, logged and put into errors: whose it is, where and which, never the password. A folder stays as it is.
 */
export function publicAddress(library: string): string {
  if (!isPostgresAddress(library)) return library;
  const [rest = '', query = ''] = library.slice(library.indexOf('://') + 3).split('?', 2);
  // The last @ ends the user: a password that was not escaped may hold one.
  const at = rest.lastIndexOf('@');
  const user = rest.slice(0, Math.max(at, 0)).replace(/:.*$/s, '');
  const shown = query.split('&').filter((field) => SHOWN.includes(field.slice(0, field.indexOf('='))));
  return `postgres://${user === '' ? '' : `${user}@`}${rest.slice(at + 1)}${shown.length > 0 ? `?${shown.join('&')}` : ''}`;
}
