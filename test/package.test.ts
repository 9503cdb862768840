import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);

const root = fileURLToPath(new URL('../', import.meta.url));
/** Packages that are compiled on installation: this checkout's own installation has just proved that they can be. */
const COMPILED = ['better-sqlite3', 'hnswlib-node'];
const LIMIT_MS = 420_000;

describe('the package', () => {
  it('installs from its tarball elsewhere, and `npx longwatch` finds a moment in a film there', {
    timeout: LIMIT_MS,
  }, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'longwatch-package-'));
    // The suite has built dist/ already; building again would pull it away from under the other tests.
    await run('npm', ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder]);
    const [tarball] = readdirSync(folder);
    expect(tarball).toMatch(/^longwatch-\d+\.\d+\.\d+\.tgz$/);

    const user = mkdtempSync(path.join(os.tmpdir(), 'longwatch-user-'));
    writeFileSync(path.join(user, 'package.json'), '{"private": true}');
    const env = { ...process.env, LONGWATCH_PROFILE: 'standard' };
    const quick = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
    await run('npm', ['install', ...quick, path.join(folder, tarball ?? '')], { cwd: user, env });
    for (const name of COMPILED) {
      const build = path.join('node_modules', name, 'build');
      cpSync(path.join(root, build), path.join(user, build), { recursive: true });
    }

    const { stdout } = await run('npx', ['--no-install', 'longwatch', 'demo', '--json', '--quiet'], { cwd: user, env });
    const { video, answers, drawn_hour: hour } = JSON.parse(stdout);
    expect(video).toMatchObject({ state: 'ready', duration_s: 30 });
    for (const layer of ['sound', 'speech', 'text']) expect(video.stages[layer]).toMatchObject({ state: 'done' });
    expect(answers[0]).toMatchObject({
      mode: 'words+meaning',
      results: [expect.objectContaining({ start_s: 20.417 })],
    });
    // What only somebody who listens can find, what only somebody who reads the screen can, and what both can.
    const found = (query: string) => answers.find((answer: { query: string }) => answer.query === query).results[0];
    expect(found('bathing children')).toMatchObject({ kind: 'speech', start_s: expect.closeTo(12.5, 0) });
    expect(found('"peach"')).toMatchObject({ kind: 'text', start_s: 20.5 });
    expect(found('open movie').why).toEqual(expect.arrayContaining(['text on screen', 'speech']));

    // An hour of drawn film, read by the model that comes along: what is in its answers was in no file but the pictures.
    expect(hour.video).toMatchObject({ state: 'ready', duration_s: 3600 });
    expect(hour.answers).toHaveLength(12);
    expect(hour.right).toBeGreaterThanOrEqual(3);
    const ring = hour.answers.find(({ query }: { query: string }) => query === 'a white ring grows for the first time');
    const [[start, end]] = ring.truth;
    expect(ring.results[0].start_s).toBeLessThan(end);
    expect(ring.results[0].end_s).toBeGreaterThan(start);

    // What is published is what is needed: no tests, no sources, no fixtures.
    const { stdout: listed } = await run('tar', ['-tzf', path.join(folder, tarball ?? '')]);
    const top = new Set(
      listed
        .trim()
        .split('\n')
        .map((file) => file.split('/')[1]),
    );
    expect([...top].sort()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json']);
    expect(listed).not.toMatch(/\/dist\/(test|fixtures)\//);
  });
});
