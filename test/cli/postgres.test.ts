import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openPostgresLibrary } from '../../index/postgres/postgres-library.js';
import { noServer, temporaryDatabase } from '../index/postgres/server.js';
import { newVideo, subtitle, temporaryFolder, windowOf } from '../index/support.js';
import { type Finished, longwatch } from './run.js';

const PASSWORD = 'a-very-secret-word';

describe.skipIf(noServer)('the command line on a library in PostgreSQL', () => {
  it('does what it does on a folder, goes back to one, and never shows the password', async () => {
    const folder = temporaryFolder();
    const address = (await temporaryDatabase()).replace('longwatch@', `longwatch:${PASSWORD}@`);
    const env = { LONGWATCH_LIBRARY: address, LONGWATCH_STATE: path.join(folder, 'state') };
    const said: Finished[] = [];
    const run = async (...args: string[]) => {
      const finished = await longwatch(args, { env, cwd: folder });
      said.push(finished);
      return finished;
    };
    expect(await run('list')).toMatchObject({ exit: 1, stderr: expect.stringContaining('library_not_found') });
    const library = await openPostgresLibrary(address, { state: env.LONGWATCH_STATE, create: true });
    const { id } = await library.addVideo(newVideo('film'));
    await library.writeWindow(id, windowOf(0, [{ event: subtitle(1, 2, 'the hare wakes up') }]));
    await library.close();
    const { results } = JSON.parse((await run('search', 'waking hare', '--json')).stdout);
    expect(results[0]).toMatchObject({ video_id: id, start_s: 1 });
    expect((await run('doctor')).stdout).toMatch(/ok +library +postgres:\/\/longwatch@\/test_\S+: 1 videos/);
    const backup = await run('backup', 'copy.dump');
    expect(backup).toMatchObject({
      exit: 2,
      stderr: expect.stringContaining(
        "pg_dump --format=custom --schema=longwatch --exclude-table='longwatch.embedding_point_*' --file='copy.dump'",
      ),
    });
    mkdirSync(path.join(folder, 'back'));
    expect(await run('migrate', address, path.join(folder, 'back'))).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^event +1 /m),
    });
    const returned = await longwatch(['search', 'waking hare', '--json'], {
      env: { LONGWATCH_LIBRARY: path.join(folder, 'back') },
    });
    expect(JSON.parse(returned.stdout).results[0]).toMatchObject({ video_id: id, start_s: 1 });
    expect(JSON.stringify(said)).not.toContain(PASSWORD);
  });
});
