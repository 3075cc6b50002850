// The part `compress` without a run: a network learns first, and its run is measured as any other.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { benchCompress } from '../../bench/src/compress.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-bench-compress-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('networks learn first if no run is named', async () => {
  const options = { clips: ['puppet:1'], frames: 3, rounds: 2, steps: 1 }
  const found = await benchCompress([], { folder, nets: ['ficelle'], ...options })
  expect(found.steps).toBe(1)
  expect(found.networks.map(({ name }) => name)).toEqual(['ficelle'])
  expect(found.networks[0]!.forms.map(({ by }) => by)).toEqual(['float', 'pantin', 'pantin'])
  expect(existsSync(join(folder, '1-ficelle/run/config.json'))).toBe(true)
})
