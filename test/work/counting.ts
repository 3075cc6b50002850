// Work for tests of workers, which computes little: it goes through a chain of hashes, and saves as it goes on; or it waits
// as long as a video would take.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { hashOf, type Kind, pathAt } from '../../src/work/task.ts'
import { videoKind } from '../../src/work/videos.ts'

const schema = z.object({ name: z.string(), to: z.int(), ms: z.number(), file: z.string().optional() })
export type Count = z.infer<typeof schema>

/** Counts in this process. @param began is told where a count begins: above 0, it goes on from a checkpoint. */
export const countingKind = (began: (name: string, from: number) => void = () => {}): Kind<Count> => ({
  name: 'count',
  schema,
  inputs: ({ file }) => (file === undefined ? [] : [file]),
  result: () => 'result.json',
  checkpoint: () => 'saved',
  leave: () => ['saved'],
  async perform({ name, to, ms, file, ...place }, { signal, onProgress } = {}) {
    mkdirSync(place.folder, { recursive: true })
    const saved = join(place.folder, 'saved')
    const [from, before] = existsSync(saved) ? readFileSync(saved, 'utf8').split(' ') : ['0', name]
    began(name, Number(from))
    if (name.startsWith('bad')) throw new Error(`${name} cannot be counted`)
    let chain = before!
    for (let i = Number(from); i < to; i++) {
      if (signal?.aborted) return undefined
      await sleep(ms)
      chain = hashOf(chain)
      writeFileSync(`${saved}.new`, `${i + 1} ${chain}`)
      renameSync(`${saved}.new`, saved)
      onProgress?.((i + 1) / to)
    }
    const path = file === undefined ? undefined : join(place.home ?? '', pathAt(place, file))
    const text = path === undefined ? '' : readFileSync(path, 'utf8')
    writeFileSync(join(place.folder, 'result.json'), JSON.stringify({ name, to, text, chain }))
    return undefined
  },
})

/** Videos that are tracked by waiting: workers on one machine are then not in each other's way. */
export const waitingKind = (milliseconds: number): typeof videoKind => ({
  ...videoKind,
  async perform({ folder }) {
    await sleep(milliseconds)
    writeFileSync(join(folder, 'track.json'), '{}')
    const result = { status: 'done', frames: 30, seconds: milliseconds / 1000, device: 'cpu', notices: [] }
    writeFileSync(join(folder, 'result.json'), JSON.stringify(result))
    return undefined
  },
})
