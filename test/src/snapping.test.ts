import { describe, expect, it } from 'vitest';
import type { EventKind, MediaEvent } from '../../src/event.js';
import { snapEdge } from '../../src/snapping.js';
import { snapToSignals } from '../../src/window-meaning.js';

const measured = (kind: EventKind, start: number, end: number, precision = 0.04): MediaEvent => ({
  kind,
  source: 'signal',
  start,
  end,
  precision,
  text: kind,
  attributes: {},
});

describe('an edge that a model names', () => {
  const EDGE = { at: 10, precision: 0.5 };

  it.each<[string, MediaEvent[], { at: number; precision: number; signal?: EventKind }]>([
    ['stays where nothing was measured', [], { at: 10, precision: 0.5 }],
    ['moves to a cut in reach', [measured('cut', 10.4, 10.44)], { at: 10.4, precision: 0.04, signal: 'cut' }],
    [
      'moves to a cut as far away as its precision',
      [measured('cut', 9.5, 9.54)],
      { at: 9.5, precision: 0.04, signal: 'cut' },
    ],
    ['stays where the cut is out of reach', [measured('cut', 10.54, 10.58)], { at: 10, precision: 0.5 }],
    ['moves to the end of a black screen', [measured('black', 5, 9.8)], { at: 9.8, precision: 0.04, signal: 'black' }],
    ['moves to the start of a freeze', [measured('freeze', 10.2, 14)], { at: 10.2, precision: 0.04, signal: 'freeze' }],
    ['stays beside fast motion', [measured('motion', 10.1, 14, 0.04)], { at: 10, precision: 0.5 }],
    ['stays where the signal is no more precise', [measured('fade', 10.1, 14, 0.5)], { at: 10, precision: 0.5 }],
    ['stays inside a long black screen', [measured('black', 5, 14)], { at: 10, precision: 0.5 }],
  ])('%s', (_, signals, edge) => {
    expect(snapEdge(EDGE, signals)).toEqual(edge);
  });

  it('of two signals in reach moves to the nearer one, and is only as precise as they are apart', () => {
    const cuts = [measured('cut', 9.75, 9.79), measured('cut', 10.125, 10.165)];
    expect(snapEdge(EDGE, cuts)).toEqual({ at: 10.125, precision: 0.375, signal: 'cut' });
    expect(snapEdge(EDGE, [measured('cut', 9.5, 9.54), measured('cut', 10.5, 10.54)])).toEqual(EDGE);
  });

  it('takes two signals that mean the same edge for one', () => {
    const fade = measured('fade', 9, 10.25);
    const black = measured('black', 10.25, 13);
    expect(snapEdge(EDGE, [fade, black])).toEqual({ at: 10.25, precision: 0.04, signal: 'fade' });
  });
});

describe('events of a model beside the signals of their window', () => {
  const said = (start: number, end: number, kind: EventKind = 'activity'): MediaEvent => ({
    ...measured(kind, start, end, 0.5),
    source: 'model',
  });
  const WINDOW = { start: 0, end: 20 };
  const cut = measured('cut', 10.4, 10.44);

  it('take over the edges that are measured, are as precise as their worse edge, and say so', () => {
    expect(snapToSignals([said(10, 15)], [cut], WINDOW)).toEqual([
      { ...said(10.4, 15), attributes: { start_snapped_to: 'cut' } },
    ]);
    const both = [cut, measured('black', 15.2, 16)];
    expect(snapToSignals([said(10, 15)], both, WINDOW)).toEqual([
      { ...said(10.4, 15.2), precision: 0.04, attributes: { start_snapped_to: 'cut', end_snapped_to: 'black' } },
    ]);
  });

  it.each([
    ['far from all signals', said(3, 5), WINDOW],
    ['whose edges would fall together', said(10.1, 10.6), WINDOW],
    ['whose edge would leave the window', said(10.5, 12), { start: 10.45, end: 20 }],
    ['that are captions', said(10, 20, 'caption'), WINDOW],
  ])('stay as they are: those %s', (_, event, window) => {
    expect(snapToSignals([event], [cut], window)).toEqual([event]);
  });
});
