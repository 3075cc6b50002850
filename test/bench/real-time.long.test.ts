// The part `real-time` of the bench.
import { describe, expect, it } from 'vitest'
import { realTimeFigures } from '../../bench/src/real-time.ts'

describe('the figures of motion in real time', () => {
  it('come from a clip that is made on the spot, each with what it is held to', async () => {
    const seen: string[] = []
    const figures = await realTimeFigures({
      seconds: 0.4,
      rounds: 1,
      longClipSeconds: 8,
      onFigure: ({ name }) => seen.push(name),
    })
    const names = ['track.256', 'animate.256.light', 'animate.128.light', 'live.latency.256', 'train.startup']
    expect(seen).toEqual([...names, 'train.memory'])
    expect(figures.map(({ name }) => name)).toEqual(seen)
    for (const { name, value } of figures)
      expect([name, Number.isFinite(value) && value >= 0]).toEqual([name, true])
    expect(figures[1]!.peer!.value).toBeLessThan(figures[1]!.value)
  }, 240_000)
})
