import { describe, expect, it } from 'vitest';
import { HostileClips } from '../../fixtures/hostile/clips.js';
import { DECODERS } from '../ingest/video/engines.js';
import { fuzz, fuzzCorpus, fuzzInput } from './fuzzer.js';

/** A fixed row, so that the suite says the same on every machine. `npm run fuzz` goes on where it ends, for as long as it is told to. */
const SEED = 20_261_127;
/** The WebAssembly engine takes two to three times the time for each. */
const INPUTS = { native: 45, wasm: 10 } as const;

const clips = await HostileClips.open();

describe('the byte-flip fuzzer', () => {
  it('makes the same bytes of the same seed and number, and others of another', () => {
    const corpus = fuzzCorpus(clips);
    const input = (seed: number, number: number) => fuzzInput(corpus, seed, number).bytes.toString('base64');
    expect(input(7, 3)).toBe(input(7, 3));
    const rows = Array.from({ length: 20 }, (_, number) => [input(7, number), input(8, number)]).flat();
    expect(new Set(rows).size).toBe(40);
  });

  it.each(DECODERS)('finds nothing with the $id decoder', async ({ id, skipped }) => {
    if (skipped) return;
    const report = await fuzz({ engine: id, seed: SEED, goOn: (tried) => tried < INPUTS[id], clips });
    expect(report.findings.map(({ number, name, what }) => `${number} ${name}: ${what}`)).toEqual([]);
    expect(report.tried).toBe(INPUTS[id]);
    // Damage that is always refused, or never, would try nothing.
    expect(report.read).toBeGreaterThan(INPUTS[id] / 4);
    expect(report.read).toBeLessThan(INPUTS[id]);
  });
});
