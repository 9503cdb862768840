/** A list of thousands of which only what is in sight is made: rows of one height in a box that scrolls. */

import { make } from './dom.js';

/** Rows above and below the box that are made too, so that scrolling shows no gap. */
const AROUND = 6;

export class VirtualList {
  #items = [];
  #first = 0;
  #end = 0;
  #current = -1;
  #drawing = 0;
  /** Stand for the rows that are not made. */
  #above = make('li', { 'aria-hidden': 'true' });
  #below = make('li', { 'aria-hidden': 'true' });

  /**
   * @param {HTMLElement} list scrolls; its style says how high a row is (`--row`, in pixels)
   * @param {(item: object, index: number) => HTMLElement} makeRow a list item with one button
   */
  constructor(list, makeRow) {
    this.list = list;
    this.makeRow = makeRow;
    list.addEventListener('scroll', () => this.#redraw(), { passive: true });
    list.addEventListener('keydown', (event) => this.#onKey(event));
    new ResizeObserver(() => this.#redraw()).observe(list);
  }

  show(items) {
    this.#items = items;
    this.#current = -1;
    this.#first = 0;
    this.#end = 0;
    this.list.replaceChildren(this.#above, this.#below);
    this.list.scrollTop = 0;
    this.#draw();
  }

  /** Marks the row that is current, and brings it into sight unless somebody is looking through the list. */
  mark(index) {
    if (index === this.#current) return;
    this.#current = index;
    for (const row of this.#rows()) this.#markRow(row);
    if (index >= 0 && !this.list.matches(':hover, :focus-within')) this.#reveal(index);
  }

  get #height() {
    return Number.parseFloat(getComputedStyle(this.list).getPropertyValue('--row')) || 64;
  }

  #rows() {
    return [...this.list.children].filter((row) => row !== this.#above && row !== this.#below);
  }

  #redraw() {
    if (this.#drawing === 0) this.#drawing = requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#drawing = 0;
    const { list } = this;
    const height = this.#height;
    const first = Math.max(0, Math.floor(list.scrollTop / height) - AROUND);
    const end = Math.min(this.#items.length, Math.ceil((list.scrollTop + list.clientHeight) / height) + AROUND);
    if (first === this.#first && end === this.#end) return;
    const known = new Map(this.#rows().map((row) => [Number(row.dataset.index), row]));
    const focused = list.contains(document.activeElement) ? document.activeElement.closest('li') : undefined;
    const rows = [];
    for (let index = first; index < end; index++) rows.push(known.get(index) ?? this.#row(index));
    // Rows that stay are not taken out, so that pictures under way and the focus stay too.
    for (const [index, row] of known) if (index < first || index >= end) row.remove();
    let before = this.#above;
    for (const row of rows) {
      if (before.nextSibling !== row) before.after(row);
      before = row;
    }
    this.#above.style.height = `${first * height}px`;
    this.#below.style.height = `${(this.#items.length - end) * height}px`;
    this.#first = first;
    this.#end = end;
    // Whoever scrolled away from a row that had the focus goes on with the keys from where they are.
    if (focused && !focused.isConnected) list.focus({ preventScroll: true });
  }

  #row(index) {
    const row = this.makeRow(this.#items[index], index);
    row.dataset.index = String(index);
    row.setAttribute('aria-posinset', String(index + 1));
    row.setAttribute('aria-setsize', String(this.#items.length));
    this.#markRow(row);
    return row;
  }

  #markRow(row) {
    const button = row.querySelector('button');
    if (Number(row.dataset.index) === this.#current) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  #reveal(index) {
    const height = this.#height;
    const { scrollTop, clientHeight } = this.list;
    if (index * height < scrollTop) this.list.scrollTop = index * height;
    else if ((index + 1) * height > scrollTop + clientHeight) this.list.scrollTop = (index + 1) * height - clientHeight;
  }

  #onKey(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / this.#height) - 1);
    const last = this.#items.length - 1;
    const at = Number(document.activeElement.closest('li')?.dataset.index ?? this.#first + AROUND);
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    const index = Math.min(last, Math.max(0, next));
    this.#reveal(index);
    this.#draw();
    this.list.querySelector(`[data-index="${index}"] button`)?.focus({ preventScroll: true });
  }
}
