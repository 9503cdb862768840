/** Words that say nothing about what is seen: alone they match nothing, beside others they are left out. */

const WORDS = `
a about after again all also am an and any anybody anyone are as at be because been before being between both but by can could did do does
doing done each ever every find for from get gets give go goes going had has have he her here hers him his how i if in into is it its
just let like may me might moment moments more most much my no not of off on one or other our out over own part parts please say scene
scenes see shall she should show shows so some somebody someone something such than that the their them then there these they thing things
this those through time times to too under until up upon us very video was we were what when where which while who whom whose why will
with would you your s t d m ll re ve don didn doesn isn wasn aren won`;

const STOP_WORDS: ReadonlySet<string> = new Set(WORDS.trim().split(/\s+/));

/** English, in any case. Words of other languages are never stop words. */
export function isStopWord(word: string): boolean {
  return STOP_WORDS.has(word.toLowerCase());
}
