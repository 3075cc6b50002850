import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Runner } from '../../src/work/task.ts'
import { processVideos, type VideoSettings } from '../../src/work/videos.ts'
import { makeRun } from '../support/shared.ts'

const folder = mkdtempSync(join(tmpdir(), 'pantin-videos-'))
const run = join(folder, 'run')
beforeAll(() => makeRun(run))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('work on a folder', () => {
  const settings: VideoSettings = { work: 'track', run, format: 'json', overlay: false, device: 'cpu' }
  const done: string[] = []
  /** Does no work, and notes which videos it was given. */
  const runner: Runner = {
    ...{ lanes: 2, shares: false, width: () => 1 },
    async perform(_, config, place) {
      const { video } = config as unknown as { video: string }
      done.push(video)
      if (video.includes('crash')) throw new Error('the process ended')
      mkdirSync(place.folder, { recursive: true })
      writeFileSync(join(place.folder, 'track.json'), video)
      const result = { status: 'done', frames: 1, seconds: 1, device: 'cpu', notices: [] }
      writeFileSync(join(place.folder, 'result.json'), JSON.stringify(result))
    },
  }
  const from = join(folder, 'many')
  const names = ['a.mp4', 'a.mov', 'crash.mp4']
  const videos = names.map((name) => join(from, name))
  const work = (out: string, force = false) => processVideos({ settings, from, videos, out, runner, force })
  beforeEach(() => {
    done.length = 0
    mkdirSync(from, { recursive: true })
    for (const name of names) writeFileSync(join(from, name), name)
  })

  it('goes on where it was, and does again what has changed or had no result', async () => {
    const out = join(folder, 'many-out')
    const rows = await work(out)
    expect(rows.map(({ status }) => status)).toEqual(['done', 'done', 'failed'])
    // Two videos of one name have two files.
    expect(rows.map((row) => row.out?.slice(out.length + 1))).toEqual(['a.mp4.json', 'a.mov.json', undefined])
    expect(done).toHaveLength(3)
    await work(out)
    expect(done.slice(3)).toEqual([videos[2]])
    writeFileSync(videos[1]!, 'another film')
    await work(out)
    expect(done.slice(4)).toEqual([videos[1], videos[2]])
    await work(out, true)
    expect(done.slice(6)).toHaveLength(3)
    await expect(
      processVideos({ settings: { ...settings, smooth: true }, from, videos, out, runner }),
    ).rejects.toThrow('another folder of results was begun here, with another smooth')
  })
})
