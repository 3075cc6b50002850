// The recipes of the starters: what `npm run starters` trains is what the package says of them.
import { expect, test } from 'vitest'
import { recipes } from '../../scripts/starters/recipes.mjs'
import { parametersOf } from '../../src/graph/ops/leaf.ts'
import { motionConfigSchema } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { starters } from '../../src/run/starters.ts'
import { tiedPoints } from '../../src/synthetic/made-clips.ts'
import { resolveConfig } from '../../src/train/config.ts'

test('there is one for each starter', () => {
  expect(Object.keys(recipes).sort()).toEqual(starters.map(({ name }) => name).sort())
})

test.each(starters)('$name is trained at its size, on seeds that are not kept aside', ({ name, size }) => {
  for (const { clips, options, from } of recipes[name]!) {
    const model = motionConfigSchema.parse(options.model)
    expect(resolveConfig(clips, { out: 'x', ...options } as never).training.clips).toEqual(clips)
    expect(model.keypoints).toBeGreaterThanOrEqual(tiedPoints[options.tie].length)
    for (const clip of clips) {
      const [, seed, pixels] = /^(?:head|puppet):(\d+),.*\bsize=(\d+)/.exec(clip)!
      expect(Number(seed)).toBeLessThan(100_001)
      expect(Number(pixels)).toBe(model.size)
    }
    expect(
      from === undefined || recipes[from.split('/')[0]!]!.some((one) => from.endsWith(`/${one.name}`)),
    ).toBe(true)
  }
  expect(motionConfigSchema.parse(recipes[name]!.at(-1)!.options.model).size).toBe(size)
})

test('what is learned at 128x128 fits at 256x256: detector and motion have the same weights', () => {
  const shapes = (starter: string) => {
    const model = motionConfigSchema.parse(recipes[starter]!.at(-1)!.options.model)
    const all = [...parametersOf(detectorGraph(model)), ...parametersOf(generatorGraph(model))]
    // The Gaussian that scales pictures down is fixed, and has a width for each size.
    return new Map(
      all
        .filter(({ name }) => /^kp_detector|dense_motion/.test(name) && !/down\.weight$|residual/.test(name))
        .map(({ name, shape }) => [name, shape]),
    )
  }
  const found = shapes('face')
  expect(found.size).toBeGreaterThan(60)
  expect(found).toEqual(shapes('face-small'))
})
