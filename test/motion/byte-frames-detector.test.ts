import { expect, it } from 'vitest'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import { floats, tensor } from '../../src/graph/tensor.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, withByteFrames } from '../../src/motion/model.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { Random } from '../../src/util/random.ts'

it('a detector finds the same in bytes as in numbers from 0 to 1', async () => {
  const graph = detectorGraph(smallConfig({ net: 'lednet' }))
  const weights = initialise(parametersOf(graph), new Random(1))
  const size = 64 * 64
  const bytes = Uint8Array.from({ length: 3 * size }, (_, i) => (i * 37) % 256)
  const planes = Array.from(
    { length: 3 * size },
    (_, i) => bytes[3 * (i % size) + Math.floor(i / size)]! / 255,
  )

  const before = await evaluate(graph, { frame: floats(planes, [1, 3, 64, 64]) }, weights)
  const after = await evaluate(
    withByteFrames(graph),
    { frame: tensor('uint8', [1, 64, 64, 3], bytes) },
    weights,
  )
  expect([...after.value!.data]).toEqual([...before.value!.data])
  expect([...after.jacobian!.data]).toEqual([...before.jacobian!.data])
})
