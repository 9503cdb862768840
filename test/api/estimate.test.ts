import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openHarness } from './harness.js';

it('says what an ingest would take, of files in allowed folders only', async () => {
  const asked: string[] = [];
  const house = openHarness({
    estimate: async (file) => {
      asked.push(file);
      return {
        path: file,
        duration: 30,
        took: 1500.4,
        stages: [
          { name: 'windows', took: 1000.2, speed: 30.001, measuredOver: 30, diskBytes: 4096 },
          { name: 'speech', speed: 0, measuredOver: 0, diskBytes: 0 },
        ],
        skipped: { text: 'It is not installed.' },
        tokens: 12,
        diskBytes: 4096,
      };
    },
  });
  const file = path.join(house.folder, 'film.mp4');
  writeFileSync(file, 'x');
  const post = (name: string) =>
    house.get('/v1/estimate', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ path: name }),
    });
  expect((await post(file)).body).toEqual({
    path: file,
    duration_s: 30,
    took_ms: 1500,
    stages: [
      { name: 'windows', took_ms: 1000, speed_x: 30, measured_over_s: 30 },
      { name: 'speech', speed_x: 0, measured_over_s: 0 },
    ],
    skipped: { text: 'It is not installed.' },
    tokens: 12,
    disk_bytes: 4096,
  });
  expect((await post('/etc/passwd')).status).toBeGreaterThanOrEqual(400);
  expect(asked).toEqual([file]);
  await house.close();
});
