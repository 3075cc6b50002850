import { defineConfig } from 'vitest/config'

// `npm test` leaves out the tests that take minutes. `npm run test:long` runs these alone.
const long = 'test/**/*.long.test.ts'

// Tests that do for every network and every colour what other tests do for some, and benches. .ci/run has no time for them:
// `npm run test:brief` leaves them out of the long ones. Run all before a release.
const exhaustive = [
  'test/zoo/detector-contract.long.test.ts',
  'test/compress/prune.long.test.ts',
  'test/media/colours.long.test.ts',
  'test/bench/{compress,real-time}.long.test.ts',
]

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === 'long' || mode === 'brief' ? long : 'test/**/*.test.ts'],
    exclude: mode === 'long' ? [] : mode === 'brief' ? exhaustive : [long],
    globalSetup: 'test/support/global-setup.ts',
    // onnxruntime-node is a native addon: each test file has a process, so that a crash is seen as one.
    pool: 'forks',
    // The long tests wait for pages, servers and processes: three files keep two cores busy.
    maxWorkers: mode === 'long' || mode === 'brief' ? 3 : 2,
    // Sessions of two threads would make the files wait for each other's cores.
    env: { PANTIN_THREADS: '1', ...(mode === 'brief' && { PANTIN_TEST_BRIEF: '1' }) },
    testTimeout: 240_000,
    hookTimeout: 240_000,
    // A page on a slow machine takes more than the second that is usual.
    expect: { poll: { timeout: 60_000 } },
  },
}))
