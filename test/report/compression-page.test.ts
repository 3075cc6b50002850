// The report of `compress`: what was left out is not told as done.
import { expect, test } from 'vitest'
import type { CompressionReport } from '../../src/compress/compress.ts'
import { compressionPage, describeCompression } from '../../src/report/compression-page.ts'
import { describeMachine } from '../../src/run/config-file.ts'

const difference = { distance: 0.1, jacobian: null, psnrLoss: null, l1: null }

function reportOf(kept: boolean): CompressionReport {
  const step = { what: '', fileBytes: 1000, memoryBytes: 1000, times: {}, difference }
  return {
    ...{ run: 'run', path: 'small', device: 'wasm', threads: 1, exactSums: true },
    machine: describeMachine(),
    frames: { calibration: 4, measured: 4 },
    notices: [],
    steps: [
      { ...step, name: 'original', kept: true },
      { ...step, name: 'pruned', kept },
    ],
    pruned: { macs: [32.9e6, 3.18e6], parameters: [288e3, 21.9e3] },
    ...{ verdicts: {}, trials: [], sensitivities: [] },
  }
}

test.each([
  ['text', describeCompression],
  ['page', compressionPage],
])('a pruned detector that is left out is not told as done: %s', (_, tell) => {
  const numbers = '32.9 M to 3.18 M multiply-adds, 288 k to 21.9 k trained numbers'
  expect(tell(reportOf(true))).toContain(`pruned detector: ${numbers}`)
  const left = tell(reportOf(false))
  expect(left).not.toContain('pruned detector: ')
  expect(left).toContain(`pruned detector, which is left out: ${numbers}`)
})
