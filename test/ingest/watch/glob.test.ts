import { describe, expect, it } from 'vitest';
import { globMatcher } from '../../../ingest/watch/glob.js';

describe('a glob', () => {
  it.each([
    ['*.mp4', ['a.mp4', 'deep/er/a.mp4', '.mp4'], ['a.mkv', 'a.mp4.part', 'a.MP4']],
    ['cam?.mp4', ['cam1.mp4', 'x/camä.mp4'], ['cam.mp4', 'cam12.mp4', 'cam/.mp4']],
    ['cam1/*.mp4', ['cam1/a.mp4'], ['cam1/b/a.mp4', 'x/cam1/a.mp4', 'a.mp4']],
    ['cam1/**', ['cam1/a.mp4', 'cam1/b/c/a.mp4'], ['cam1', 'cam10/a.mp4']],
    ['**/raw/*.mov', ['raw/a.mov', 'x/raw/a.mov', 'x/y/raw/a.mov'], ['xraw/a.mov', 'raw/x/a.mov']],
    ['{front,back-{left,right}}.*', ['front.mp4', 'back-left.mkv', 'x/back-right.ts'], ['back.mp4', 'left.mp4']],
    ['[a-c]*.mp4', ['apple.mp4', 'c.mp4'], ['d.mp4', '-.mp4']],
    ['[!a-c].mp4', ['d.mp4'], ['a.mp4', '/.mp4']],
    ['take[[]1].mp4', ['take[1].mp4'], ['take1.mp4']],
    ['a\\*b.mp4', ['a*b.mp4'], ['axb.mp4']],
    ['./x/a+(1).mp4', ['x/a+(1).mp4'], ['x/aa1.mp4']],
    ['/x/*', ['x/a'], ['y/x/a']],
    ['Kamera 😀*', ['Kamera 😀 1.mp4', 'x/Kamera 😀.mp4'], ['Kamera 1.mp4']],
    ['line\n*.mp4', ['line\nbreak.mp4'], ['line.mp4']],
  ])('%s', (glob, taken, left) => {
    const matches = globMatcher(glob);
    expect(taken.filter((file) => !matches(file))).toEqual([]);
    expect(left.filter((file) => matches(file))).toEqual([]);
  });

  it.each(['[abc', '{a,b', 'x{a,{b}'])('%s is refused, since it is not closed', (glob) => {
    expect(() => globMatcher(glob)).toThrow(expect.objectContaining({ code: 'invalid_input' }));
  });
});
