// The part `quality`: when a training is over, what the figure says, and how options of training are read.
import { describe, expect, it } from 'vitest'
import { readTrainWords } from '../../bench/src/quality.ts'
import {
  isOver,
  type QualityPoint,
  qualityCsv,
  qualityFigure,
  reachedAt,
} from '../../bench/src/quality-course.ts'
import { judged } from '../../bench/src/report.ts'
import { checkBenchFlags } from '../../src/cli/bench-parts.ts'
import { Reporter } from '../../src/cli/context.ts'

const rule = { target: 0.6, limit: 10 }
const point = (minutes: number, ratio: number): QualityPoint => ({
  ...{ steps: Math.round(100 * minutes), minutes, ratio },
  ...{ l1: 0.1 * ratio, still: 0.1 },
})
const side = (name: string, ...course: QualityPoint[]) => ({ name, course, how: '64x64' })

describe('a training is over', () => {
  it('when an evaluation reaches the target, even if a later one does not', () => {
    const course = [point(1, 0.8), point(2, 0.6), point(3, 0.62)]
    expect(isOver(course.slice(0, 1), rule)).toBe(false)
    expect(isOver(course, rule)).toBe(true)
    expect(reachedAt(course, rule)).toBe(course[1])
  })

  it('or when its minutes are', () => {
    expect(isOver([], rule)).toBe(false)
    expect(isOver([point(9.9, 0.7)], rule)).toBe(false)
    expect(isOver([point(10, 0.7)], rule)).toBe(true)
  })
})

describe('the figure', () => {
  const ours = side('pantin', point(1, 0.8), point(2, 0.59), point(3, 0.5))

  it('is the minutes until the target, and how many times longer the peer took', () => {
    const [figure] = judged([qualityFigure(ours, side('FOMM', point(4, 1.2), point(12, 0.55)), rule)])
    expect(figure).toMatchObject({
      ...{ name: 'quality.minutes', value: 2, unit: 'min', ratio: 6, reached: true },
      peer: { name: 'FOMM', value: 12 },
    })
    const [later] = judged([qualityFigure(ours, side('FOMM', point(9, 0.55)), rule)])
    expect([later!.ratio, later!.reached]).toEqual([4.5, false])
  })

  it('says what was reached at the limit: a lower bound for the factor', () => {
    const figure = qualityFigure(ours, side('FOMM', point(5, 1.2), point(11, 0.9)), rule)
    expect(figure.ratio).toBe(5.5)
    expect(figure.how).toContain('pantin (64x64): L1 0.590 of the still picture')
    expect(figure.how).toMatch(
      /FOMM .*: L1 0\.900 .* after 11\.00 minutes and 1100 steps, and 0\.6 not reached/,
    )
  })

  it('has no factor if pantin itself did not reach the target, and none without a peer', () => {
    const late = side('pantin', point(1, 0.8), point(10, 0.7))
    const [figure] = judged([qualityFigure(late, side('FOMM', point(60, 0.9)), rule)])
    expect(figure).toMatchObject({ value: 10, ratio: 0, reached: false })
    expect(qualityFigure(late, undefined, rule)).not.toHaveProperty('target')
  })

  it('stands beside all evaluations as CSV', () => {
    const lines = qualityCsv([ours, side('FOMM', point(4, 1.2))])
      .trim()
      .split('\r\n')
    expect(lines).toHaveLength(5)
    expect(lines.slice(0, 2)).toEqual([
      'side,steps,minutes,l1,still,ratio,how',
      'pantin,100,1,0.08,0.1,0.8,64x64',
    ])
  })
})

describe('options of training', () => {
  const context = {
    reporter: new Reporter({ json: false, quiet: true }, () => Promise.reject(new Error('nothing to show'))),
    signal: new AbortController().signal,
  }
  const read = (...words: string[]) => readTrainWords(context, 'puppet:7', ['--out', 'runs/a', ...words])

  it('are those of the command', async () => {
    const words = ['--size', '128', '--generator', 'light', '--grow', '64', '--losses', 'reconstruction=5']
    expect(await read(...words)).toMatchObject({
      ...{ out: 'runs/a', size: 128, generator: 'light', grow: '64', losses: { reconstruction: 5 } },
    })
    await expect(read('--sizes', '128')).rejects.toThrow(/unknown option/)
  })

  it('that contradict the measurement are refused', async () => {
    for (const words of [['--resume'], ['--holdout', '0'], ['puppet:8']]) {
      await expect(read(...words), words.join(' ')).rejects.toThrow(/do not serve bench quality/)
    }
  })
})

describe('the flags of bench', () => {
  const flags = { device: 'cpu' } as const

  it('quality takes one clip, and options after it', () => {
    expect(() => checkBenchFlags('quality', ['a.mp4'], { ...flags, target: 0.5, python: 'py' })).not.toThrow()
    expect(() => checkBenchFlags('quality', ['a.mp4', '--size', '128'], flags)).not.toThrow()
    expect(() => checkBenchFlags('quality', ['a.mp4', 'b.mp4'], flags)).toThrow(/one clip/)
    expect(() => checkBenchFlags('quality', [], flags)).toThrow(/one clip/)
    expect(() => checkBenchFlags('quality', ['a.mp4'], { ...flags, threads: 2 })).toThrow(/--threads/)
  })

  it('its own are for no other part', () => {
    for (const choice of ['all', 'step', 'faces'] as const) {
      expect(() => checkBenchFlags(choice, [], { ...flags, target: 0.5 }), choice).toThrow(/bench quality/)
    }
    expect(() => checkBenchFlags('all', [], { ...flags, python: 'py' })).not.toThrow()
  })
})
