/** How much of a query an event contains; see `TextHit`. Pure. */

/** Words of one query that are looked for as others: whoever mistypes more is asked better than guessed at. */
export const MOST_CORRECTED = 4;
/** What a word counts that stands there as another one, beside 1 for one that stands there as it was asked. */
const CORRECTED_WORTH = 0.8;

/** A term that an event contains. */
interface Contained {
  readonly asked: { readonly rarity: number };
  readonly corrected?: string;
}

/** Inverse document frequency: ln(1 + N / n), with n = 1/2 for a word that is nowhere. */
export function rarityOf(found: number, events: number): number {
  return Math.log(1 + events / Math.max(found, 0.5));
}

/** Half by number, half by rarity. */
export function coverageOf(own: readonly Contained[], all: readonly { readonly rarity: number }[]): number {
  const byNumber = sum(own.map(worthOf)) / all.length;
  const byRarity = sum(own.map((one) => worthOf(one) * one.asked.rarity)) / sum(all.map(({ rarity }) => rarity));
  return (byRarity + byNumber) / 2;
}

function worthOf({ corrected }: Contained): number {
  return corrected === undefined ? 1 : CORRECTED_WORTH;
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
