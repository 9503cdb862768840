import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/setup/build.ts', 'test/setup/postgres.ts'],
    // Real decoders, databases and processes: slow machines need room, and two files at once are what two cores carry.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 20_000 } },
    pool: 'forks',
    maxWorkers: 2,
    // Listening and reading off the screen take seconds a film; tests that are about them ask for it.
    env: { LONGWATCH_PROFILE: 'fast' },
  },
});
