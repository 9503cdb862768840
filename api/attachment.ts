/** Names of files as a browser saves them. */

/** `Content-Disposition` of RFC 6266: a plain name for old clients, the exact one in UTF-8. */
export function attachment(name: string): string {
  const safe = name.replace(/[\p{Cc}\p{Cs}/\\:*?"<>|]/gu, '_').slice(-200);
  const plain = safe.replace(/[^\x20-\x7e]|%/g, '_');
  const exact = encodeURIComponent(safe).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
