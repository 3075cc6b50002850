import { defineConfig } from 'vitest/config'

// `npm test` leaves out the tests that take minutes. `npm run test:long` runs these alone. .ci/run runs both.
const long = 'test/**/*.long.test.ts'

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === 'long' ? long : 'test/**/*.test.ts'],
    exclude: mode === 'long' ? [] : [long],
    globalSetup: 'test/support/global-setup.ts',
    // onnxruntime-node is a native addon: each test file has a process, so that a crash is seen as one.
    pool: 'forks',
    // The long tests wait for pages, servers and processes: three files keep two cores busy.
    maxWorkers: mode === 'long' ? 3 : 2,
    // Sessions of two threads would make the files wait for each other's cores.
    env: { PANTIN_THREADS: '1' },
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // A page on a slow machine takes more than the second that is usual.
    expect: { poll: { timeout: 60_000 } },
  },
}))
