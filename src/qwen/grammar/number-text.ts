/**
 * Decimal numbers within bounds, digit by digit: which prefixes can still become one, and the shortest way to its end.
 * Numbers are integers scaled by 10^decimals, so bounds are compared exactly. There is no -0, no leading zero and no exponent.
 */

/** Part of a number, with the bounds that hold for it. */
export interface NumberPrefix {
  readonly decimals: number;
  /** Bounds of the scaled number, both inclusive. */
  readonly lowest: number;
  readonly highest: number;
  readonly negative: boolean;
  /** Digits before the point that stand already. */
  readonly digits: number;
  /** Digits after the point that stand already; -1 before the point. */
  readonly fraction: number;
  /** All digits so far, read as one integer. */
  readonly value: number;
}

export function emptyNumber(decimals: number, lowest: number, highest: number): NumberPrefix {
  return { decimals, lowest, highest, negative: false, digits: 0, fraction: -1, value: 0 };
}

/** The smallest N with N / 10^decimals ≥ value, in the arithmetic of whoever reads the numbers back as doubles. */
export function scaledAtLeast(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  let scaled = Math.ceil(value * scale);
  if (scaled / scale < value) scaled++;
  else if ((scaled - 1) / scale >= value) scaled--;
  // Not -0, which would be written with a sign.
  return scaled + 0;
}

/** The largest N with N / 10^decimals ≤ value. */
export function scaledAtMost(value: number, decimals: number): number {
  return -scaledAtLeast(-value, decimals) + 0;
}

/** The smallest N with N / 10^decimals > value. */
export function scaledAbove(value: number, decimals: number): number {
  const scaled = scaledAtLeast(value, decimals);
  return scaled / 10 ** decimals > value ? scaled : scaled + 1;
}

/** The largest N with N / 10^decimals < value. */
export function scaledBelow(value: number, decimals: number): number {
  return -scaledAbove(-value, decimals) + 0;
}

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;

/** The prefix with one byte more, or undefined when no number within the bounds begins so. */
export function withByte(prefix: NumberPrefix, byte: number): NumberPrefix | undefined {
  const { digits, fraction, value } = prefix;
  let longer: NumberPrefix;
  if (byte === MINUS) {
    if (prefix.negative || digits > 0) return undefined;
    longer = { ...prefix, negative: true };
  } else if (byte === POINT) {
    if (prefix.decimals === 0 || digits === 0 || fraction >= 0) return undefined;
    longer = { ...prefix, fraction: 0 };
  } else if (byte >= ZERO && byte <= NINE) {
    const longerValue = value * 10 + byte - ZERO;
    if (fraction >= 0) {
      if (fraction === prefix.decimals) return undefined;
      longer = { ...prefix, fraction: fraction + 1, value: longerValue };
    } else {
      if (digits > 0 && value === 0) return undefined;
      longer = { ...prefix, digits: digits + 1, value: longerValue };
    }
  } else return undefined;
  return furtherDigits(longer) === undefined ? undefined : longer;
}

/** Whether the number may end here. */
export function isWhole(prefix: NumberPrefix): boolean {
  if (prefix.digits === 0) return false;
  if (prefix.decimals > 0) return prefix.fraction === prefix.decimals;
  const { from, to } = magnitudes(prefix);
  return prefix.value >= from && prefix.value <= to;
}

/** Whether nothing can follow but what stands after the number. */
export function isFull(prefix: NumberPrefix): boolean {
  return prefix.decimals > 0 && prefix.fraction === prefix.decimals;
}

/** The scaled number. Only for a whole prefix. */
export function scaledValue(prefix: NumberPrefix): number {
  return prefix.negative ? -prefix.value : prefix.value;
}

/** What has to be added for a whole number, as short as possible; of equally short ones the nearest to zero. */
export function shortestEnd(prefix: NumberPrefix): string {
  if (isWhole(prefix)) return '';
  if (prefix.digits === 0 && !prefix.negative && prefix.highest < 0)
    return `-${shortestEnd({ ...prefix, negative: true })}`;
  const { from } = magnitudes(prefix);
  const further = furtherDigits(prefix) ?? 0;
  const open = prefix.decimals - Math.max(0, prefix.fraction) + further;
  const magnitude = prefix.digits === 0 ? from : Math.max(from, prefix.value * 10 ** open);
  const text = numberText(magnitude, prefix.decimals);
  const written = prefix.digits + (prefix.fraction >= 0 ? 1 + prefix.fraction : 0);
  return text.slice(written);
}

/** A scaled magnitude as it is written. */
function numberText(magnitude: number, decimals: number): string {
  const digits = String(magnitude).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return decimals === 0 ? digits : `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Digits before the point that must follow at least; undefined when no number within the bounds begins so. */
function furtherDigits(prefix: NumberPrefix): number | undefined {
  const { from, to } = magnitudes(prefix);
  if (from > to) return undefined;
  if (prefix.digits === 0) return 0;
  const { value, fraction, decimals } = prefix;
  const open = decimals - Math.max(0, fraction);
  for (let further = 0; ; further++) {
    const unit = 10 ** (open + further);
    if (value * unit > to) return undefined;
    if ((value + 1) * unit > from) return further;
    if (fraction >= 0 || value === 0) return undefined;
  }
}

/** Which scaled magnitudes the sign leaves; `from` lies above `to` when there are none. */
function magnitudes({ negative, lowest, highest }: NumberPrefix): { from: number; to: number } {
  if (negative) return { from: Math.max(1, -highest), to: -lowest };
  return { from: Math.max(0, lowest), to: highest };
}
