import { describe, expect, it } from 'vitest';
import { Circuit, DEFAULT_CIRCUIT_POLICY, type Outcome } from '../../../src/remote/circuit.js';

/** A coin that always says 0, so that every opening lasts half of its range. */
function circuit(random = () => 0): Circuit {
  return new Circuit(DEFAULT_CIRCUIT_POLICY, random);
}

function ask(one: Circuit, outcome: Outcome, now = 0): boolean {
  const passage = one.pass(now);
  if (passage) one.leave(passage, outcome, now);
  return passage !== undefined;
}

describe('a circuit', () => {
  it('opens at the fifth failure in a row, not at the fourth', () => {
    const one = circuit();
    for (let i = 0; i < 4; i++) ask(one, 'failed');
    expect(one.state(0)).toBe('closed');
    ask(one, 'failed');
    expect([one.state(0), one.passableAt]).toEqual(['open', 2_500]);
    expect(ask(one, 'answered')).toBe(false);
  });

  it('stays closed while fewer than half of the last twenty fail', () => {
    const one = circuit();
    for (let i = 0; i < 200; i++) ask(one, i % 3 === 0 ? 'failed' : 'answered');
    expect(one.state(0)).toBe('closed');
  });

  it('opens when half of the last twenty fail', () => {
    const one = circuit();
    for (let i = 0; i < 20; i++) ask(one, 'answered');
    for (let i = 0; i < 10; i++) ask(one, 'failed');
    expect(one.state(0)).toBe('open');
  });

  it('lets one question try it when its time is over, and no second one beside', () => {
    const one = circuit();
    for (let i = 0; i < 5; i++) ask(one, 'failed');
    expect(one.state(2_500)).toBe('half-open');
    const trial = one.pass(2_500);
    expect([trial, one.pass(2_500)]).toEqual([{ trial: true }, undefined]);
    one.leave({ trial: true }, 'answered', 2_600);
    expect([one.state(2_600), one.pass(2_600)]).toEqual(['closed', { trial: false }]);
  });

  it('opens for twice as long with every trial that fails, up to two minutes, and forgets that when one is answered', () => {
    const one = circuit();
    for (let i = 0; i < 5; i++) ask(one, 'failed');
    const times: number[] = [];
    for (let i = 0; i < 7; i++) {
      const now = one.passableAt;
      ask(one, 'failed', now);
      times.push(one.passableAt - now);
    }
    expect(times).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000, 60_000]);
    ask(one, 'answered', one.passableAt);
    const now = 1_000_000;
    for (let i = 0; i < 5; i++) ask(one, 'failed', now);
    expect(one.passableAt - now).toBe(2_500);
  });

  it('is open for anything between half of its range and all of it', () => {
    const one = circuit(() => 0.5);
    for (let i = 0; i < 5; i++) ask(one, 'failed');
    expect(one.passableAt).toBe(3_750);
  });

  it('can be tried again when the trial ended without a word', () => {
    const one = circuit();
    for (let i = 0; i < 5; i++) ask(one, 'failed');
    expect([ask(one, 'untold', 2_500), ask(one, 'untold', 2_500)]).toEqual([true, true]);
    expect(one.state(2_500)).toBe('half-open');
  });

  it('is not moved by what was asked before it opened', () => {
    const one = circuit();
    const early = one.pass(0);
    for (let i = 0; i < 5; i++) ask(one, 'failed');
    if (early) one.leave(early, 'answered', 1);
    expect(one.state(1)).toBe('open');
  });
});
