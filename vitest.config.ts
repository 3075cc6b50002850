import { defineConfig } from 'vitest/config'

// `npm test` leaves out the tests that take minutes. `npm run test:long` runs these alone.
const long = 'test/**/*.long.test.ts'

// The long tests of every change (`npm run test:brief`, .ci/run): the pages that people use, reported inputs, and kills.
// .ci/run has no time for all of them, which take half an hour. Run all before a release.
const brief = [
  'test/cases/*.long.test.ts',
  'test/studio/{animate,newcomer,pose}.long.test.ts',
  'test/work/kills.long.test.ts',
  'test/zoo/contract.long.test.ts',
]

// What these measure in milliseconds is that of a machine which does nothing else: they run after all others.
const alone = 'test/studio-server/load.long.test.ts'

const common = {
  globalSetup: 'test/support/global-setup.ts',
  // onnxruntime-node is a native addon: each test file has a process, so that a crash is seen as one.
  pool: 'forks',
  testTimeout: 240_000,
  hookTimeout: 240_000,
  // A page on a slow machine takes more than the second that is usual.
  expect: { poll: { timeout: 60_000 } },
} as const

export default defineConfig(({ mode }) => {
  const isLong = mode === 'long' || mode === 'brief'
  // Sessions of two threads would make the files wait for each other's cores.
  const env = { PANTIN_THREADS: '1', ...(mode === 'brief' && { PANTIN_TEST_BRIEF: '1' }) }
  if (!isLong)
    return { test: { ...common, env, include: ['test/**/*.test.ts'], exclude: [long], maxWorkers: 2 } }
  // The long tests wait for pages, servers and processes: three files keep two cores busy.
  const busy = { include: mode === 'brief' ? brief : [long], exclude: [alone], maxWorkers: 3 }
  const quiet = { include: [alone], maxWorkers: 1 }
  return {
    test: {
      projects: [busy, quiet].map((files, groupOrder) => ({
        test: {
          ...common,
          env,
          ...files,
          name: groupOrder === 0 ? 'busy' : 'quiet',
          sequence: { groupOrder },
        },
      })),
    },
  }
})
