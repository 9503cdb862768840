/** How much of a query an event contains; see `TextHit`. Pure. */

/** Words of one query that are looked for as others: whoever mistypes more is asked better than guessed at. */
export const MOST_CORRECTED = 4;
/** What a word counts that stands there as another one, beside 1 for one that stands there as it was asked. */
const CORRECTED_WORTH = 0.8;

/** Coverages that differ by less are equal but for the order in which they were summed. */
const ROUNDED = 1e9;

/** A term that an event contains. */
interface Contained {
  readonly asked: { readonly rarity: number };
  readonly way: { readonly corrected?: string };
}

/** Inverse document frequency: ln(1 + N / n), with n = 1/2 for a word that is nowhere. */
export function rarityOf(found: number, events: number): number {
  return Math.log(1 + events / Math.max(found, 0.5));
}

/** Half by number, half by rarity. */
export function coverageOf(own: readonly Contained[], all: readonly { readonly rarity: number }[]): number {
  return Math.round(sum(own.map((one) => shareOf(one, all))) * ROUNDED) / ROUNDED;
}

/** What one term adds to the coverage, not rounded. */
export function shareOf(one: Contained, all: readonly { readonly rarity: number }[]): number {
  const worth = worthOf(one);
  return (worth / all.length + (worth * one.asked.rarity) / sum(all.map(({ rarity }) => rarity))) / 2;
}

function worthOf({ way: { corrected } }: Contained): number {
  return corrected === undefined ? 1 : CORRECTED_WORTH;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
