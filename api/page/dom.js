/** Small words for building the page and for asking the server. */

/** @returns {HTMLElement} the element with this id, which the page always has */
export function byId(id) {
  return document.getElementById(id);
}

/**
 * Makes an element. Strings become text, never markup.
 * @param {string} tag
 * @param {Record<string, unknown>} properties DOM properties; `class` and names with a dash are attributes
 * @param {...(Node | string | undefined)} children
 */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined) continue;
    if (name === 'class' || name.includes('-')) element.setAttribute(name, String(value));
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** A failure that a person can read: the server's own sentence and its hint. */
export class ApiError extends Error {
  constructor(status, problem) {
    super([problem.detail, problem.hint].filter(Boolean).join(' '));
    this.status = status;
    this.code = problem.code;
  }
}

/**
 * Asks the API.
 * @param {{ body?: unknown, bytes?: Blob, whole?: boolean } & RequestInit} options `body` goes as JSON, `bytes` as they are; `whole` gives
 * the response itself
 * @throws {ApiError}
 */
export async function ask(path, { body, bytes, whole = false, ...options } = {}) {
  const request = { ...options };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { 'Content-Type': 'application/json', ...options.headers };
  }
  if (bytes !== undefined) request.body = bytes;
  let response;
  try {
    response = await fetch(path, request);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new ApiError(0, {
      code: 'offline',
      detail: 'The server does not answer.',
      hint: 'Check that it still runs.',
    });
  }
  if (response.ok) {
    if (whole) return response;
    return response.status === 204 ? undefined : response.json();
  }
  const problem = await response.json().catch(() => ({ detail: `The server answered with ${response.status}.` }));
  throw new ApiError(response.status, problem);
}

/** `H:MM:SS.mmm`. */
export function clock(seconds) {
  const millis = Math.round(seconds * 1000);
  const part = (unit, size, width) => String(Math.floor(millis / unit) % size).padStart(width, '0');
  return `${Math.floor(millis / 3_600_000)}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}.${part(1, 1000, 3)}`;
}

/** Seconds that a person wrote: `90`, `1:30`, `0:01:30.250`; undefined for anything else. */
export function parseClock(text) {
  const match = /^(?:(?:(\d+):)?([0-5]?\d):)?(\d+(?:\.\d+)?)$/.exec(text.trim());
  if (!match || (match[2] !== undefined && Number(match[3]) >= 60)) return undefined;
  return Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3]);
}

/** A size in bytes for people. */
export function sizeText(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  const power = bytes < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** `H:MM:SS`, for a length. */
export function clockShort(seconds) {
  return clock(Math.round(seconds)).slice(0, -4);
}

/** The picture of a frame; one that cannot be made leaves its place empty. */
export function frameImage(url, description) {
  const image = make('img', { class: 'frame', loading: 'lazy', decoding: 'async', alt: description, src: url });
  image.addEventListener('error', () => image.classList.add('missing'));
  return image;
}
