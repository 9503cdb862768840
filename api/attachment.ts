/** Names of files as a browser saves them. */

/** Longest name in characters; file systems take 255 bytes of it. */
const NAME_LENGTH = 200;

/** `Content-Disposition` of RFC 6266: a plain name for old clients, the exact one in UTF-8. */
export function attachment(name: string): string {
  // By characters: half of one could not be encoded. The end stays, where the extension is, and nothing may turn its direction.
  const safe = [...name.replace(/[\p{Cc}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069/\\:*?"<>|]/gu, '_')]
    .slice(-NAME_LENGTH)
    .join('');
  const plain = safe.replace(/[^\x20-\x7e]|%/g, '_');
  const exact = encodeURIComponent(safe).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${exact}`;
}
