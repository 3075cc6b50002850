import { describe, expect, it } from 'vitest'
import { profileDetector, profileNet } from '../../src/profile/profile.ts'
import { coresHere } from '../../src/runtime/node.ts'
import { type CompareProgress, compare, compareWith } from '../../src/study/compare.ts'
import { InputError } from '../../src/util/errors.ts'
import { netNames } from '../../src/zoo/registry.ts'
import { fakeMachine } from './compare-fake.ts'

const nets = ['hourglass', 'lednet', 'enet']

it('counts every network in both forms without running any', async () => {
  const found = await compare({ latency: false })
  expect(found).toMatchObject({ device: null, threads: null, rounds: 0, skipped: [], accuracy: null })
  expect(found.rows).toHaveLength(2 * netNames.length)
  for (const as of ['network', 'detector'] as const) {
    const rows = found.rows.filter((row) => row.as === as)
    expect(rows.map(({ net }) => net).sort()).toEqual([...netNames].sort())
    expect(rows.map(({ macs }) => macs)).toEqual(rows.map(({ macs }) => macs).toSorted((a, b) => a - b))
  }
  for (const row of found.rows) {
    const { diagram, latency, pareto, accuracy, title, year, paper, as, licence, ...profile } = row
    expect(profile).toEqual(
      as === 'network'
        ? profileNet(row.net, { outputs: 10, input: [3, 64, 64] })
        : profileDetector(row.net, { keypoints: 10, size: 64 }),
    )
    expect([latency, accuracy, pareto]).toEqual([null, null, []])
    expect(diagram.stages.length).toBeGreaterThan(3)
    expect([title, year, paper.url]).not.toContain(undefined)
    expect(licence === null || licence.length > 0).toBe(true)
  }
})

describe('with latency', () => {
  it('times all in turn on one device, ranks them and closes every session', async () => {
    const machine = fakeMachine()
    const events: string[] = []
    const onProgress = ({ phase, done, total }: CompareProgress) => events.push(`${phase} ${done}/${total}`)
    const found = await compareWith({ nets, rounds: 4, threads: 3, onProgress }, machine)
    expect(found).toMatchObject({ device: 'cpu', threads: 3, rounds: 4, restMs: 30, warmMs: 15, outputs: 10 })
    expect(found.detector).toEqual({ head: 'light', skip: 'all' })
    expect(machine.closed.size).toBe(6)
    expect(machine.opened.map(({ device }) => device)).toEqual(['auto', 'cpu', 'cpu', 'cpu', 'cpu', 'cpu'])
    expect(machine.log.filter((entry) => entry === 'rest')).toHaveLength(24)
    expect(events).toContain('profile 6/6')
    expect(events).toContain('load 6/6')
    expect(events.at(-1)).toBe('latency 24/24')

    const networks = found.rows.filter(({ as }) => as === 'network')
    const medians = networks.map(({ latency }) => latency!.median)
    expect(medians).toEqual(medians.toSorted((a, b) => a - b))
    // The fake clock runs by the number of nodes: the hourglass has the fewest.
    expect(networks.map(({ net }) => net)).toEqual(['hourglass', 'lednet', 'enet'])
    expect(networks.map(({ pareto }) => pareto)).toEqual([
      ['params', 'macs'],
      ['params', 'macs'],
      ['params', 'macs'],
    ])
  })

  it('keeps to the budget, and says how many rounds that were', async () => {
    const machine = fakeMachine(() => 50)
    const { rounds } = await compareWith({ nets, budgetSeconds: 10 }, machine)
    expect(rounds).toBeGreaterThan(8)
    expect(machine.clock.now()).toBeLessThanOrEqual(10_000)
  })

  it('closes what it opened where it is stopped or fails', async () => {
    const machine = fakeMachine()
    const controller = new AbortController()
    const onProgress = ({ phase, done }: CompareProgress) =>
      phase === 'latency' && done === 5 && controller.abort()
    const stopped = compareWith({ nets, signal: controller.signal, onProgress }, machine)
    await expect(stopped).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }))
    expect(machine.closed.size).toBe(6)
    expect(machine.log.filter((entry) => entry === 'rest')).toHaveLength(5)

    const broken = fakeMachine((session) => {
      if (session === 1) throw new Error('broken')
      return 1
    })
    await expect(compareWith({ nets }, broken)).rejects.toThrow('broken')
    expect(broken.closed.size).toBe(6)
  })

  it('measures on this machine', async () => {
    const found = await compare({ nets: ['lednet'], rounds: 2, device: 'cpu' })
    expect(found).toMatchObject({ device: 'cpu', rounds: 2, threads: coresHere() })
    for (const { latency } of found.rows) {
      const { median, min, quartiles } = latency!
      expect(min > 0.1 && min <= quartiles[0] && quartiles[0] <= median && median <= quartiles[1]).toBe(true)
    }
  })
})

describe('choices', () => {
  it('of networks, form, size, outputs, head and dilations reach the rows', async () => {
    const found = await compare({
      ...{ nets: ['lednet', 'lednet'], as: ['detector'], input: [3, 128, 128], outputs: 5, latency: false },
      ...{ head: 'fomm', skip: 'gated', dilations: 'published' },
    })
    expect(found.rows).toHaveLength(1)
    expect(found.detector).toEqual({ head: 'fomm', skip: 'gated' })
    const { params, macs } = profileDetector('lednet', {
      ...{ keypoints: 5, size: 128, head: 'fomm', skip: 'gated', dilations: 'published' },
    })
    expect(found.rows[0]).toMatchObject({ params, macs, dilations: 'published' })
  })

  it('may bring an accuracy', async () => {
    const found = await compare({
      nets,
      latency: false,
      accuracy: { label: 'PSNR in dB', better: 'higher', values: { 'detector/lednet': 27.5 } },
    })
    expect(found.accuracy).toEqual({ label: 'PSNR in dB', better: 'higher' })
    const known = found.rows.filter(({ accuracy }) => accuracy !== null)
    expect(known.map(({ as, net, accuracy }) => [as, net, accuracy])).toEqual([['detector', 'lednet', 27.5]])
  })

  it('leave out networks that do not take the picture, unless they are named', async () => {
    const input = [3, 48, 48] as const
    const found = await compare({ latency: false, input })
    expect(found.skipped).toContainEqual({
      net: 'hourglass',
      as: 'network',
      reason: expect.stringContaining('multiples of 32'),
    })
    expect(found.rows.length + found.skipped.length).toBe(2 * netNames.length)
    await expect(compare({ latency: false, input, nets: ['hourglass'] })).rejects.toThrow('multiples of 32')
    await expect(compare({ latency: false, input: [3, 51, 51] })).rejects.toThrow(InputError)
  })

  it('are refused where they cannot be', async () => {
    await expect(compare({ nets: ['lednt'] })).rejects.toThrow('did you mean "lednet"?')
    await expect(compare({ input: [3, 64, 128] })).rejects.toThrow('square RGB')
    await expect(compare({ input: [1, 64, 64] })).rejects.toThrow('3x64x64')
  })
})
