import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ProgressLine } from '../../src/cli/progress.js';
import { Terminal } from '../../src/cli/terminal.js';

describe('progress that is no terminal', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('is a line every ten seconds, and says since when nothing moves', () => {
    const said: string[] = [];
    const stderr = Object.assign(Object.create(process.stderr), {
      isTTY: false,
      write: (text: string) => said.push(text.trim()),
    });
    const options = { json: false, quiet: false, color: false, stdout: process.stdout, stderr };
    const line = new ProgressLine(new Terminal(options), 'film');
    line.show({ stage: 'windows', progress: 0.25, speed: 2, eta: 60_000 });
    vi.advanceTimersByTime(12_000);
    line.show({ stage: 'windows', progress: 0.5, speed: 2, eta: 30_000 });
    vi.advanceTimersByTime(8_000);
    expect(said).toEqual([
      'film: windows, 25 %, 2.0x realtime, 0:01:00 left',
      'film: windows, 50 %, 2.0x realtime, 0:00:30 left',
    ]);
    vi.advanceTimersByTime(60_000);
    expect(said.at(-1)).toBe('film: windows, 50 %, no progress for 0:01:08');
    line.end();
    const before = said.length;
    vi.advanceTimersByTime(60_000);
    expect(said).toHaveLength(before);
  });
});
