import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { constant, input } from '../../src/graph/ops/leaf.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import { affineMotions, meanDeformation, sparseDeformations } from '../../src/motion/dense-motion.ts'
import {
  inverse2x2,
  kp2gaussian,
  product2x2,
  softArgmax,
  spatialSoftmax,
} from '../../src/motion/keypoints.ts'
import { evaluate } from '../../src/runtime/node.ts'

/** Feeds one tensor to a function of values and returns its result. */
async function apply(x: Tensor<'float32'>, f: (x: Value) => Value): Promise<number[]> {
  const graph = new Graph()
  graph.output('y', f(input(graph, 'x', 'float32', x.shape)))
  const { y } = await evaluate(graph, { x })
  return Array.from(y!.data, Number)
}

function expectClose(got: readonly number[], expected: readonly number[], digits = 5): void {
  expect(got).toHaveLength(expected.length)
  expected.forEach((value, i) => {
    expect(got[i], `element ${i}`).toBeCloseTo(value, digits)
  })
}

describe('softArgmax', () => {
  it('puts a peak at its pixel’s centre, x before y', async () => {
    const heatmap = floats([0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], [1, 1, 3, 4])
    expectClose(await apply(heatmap, softArgmax), [2 * (1 / 3) - 1, 0])
  })

  it('lies between pixels where the weight does', async () => {
    // 3/4 at the first column and 1/4 at the last of one row: x = -3/4 + 1/4.
    const heatmap = floats([0, 0, 0, 0.75, 0, 0.25], [1, 1, 2, 3])
    expectClose(await apply(heatmap, softArgmax), [-0.5, 1])
  })

  it('sharpens with a low temperature', async () => {
    // exp(ln 2 / 0.5) = 4: weights 1 and 4 of 5.
    const maps = floats([0, Math.log(2)], [1, 1, 1, 2])
    expectClose(await apply(maps, (x) => spatialSoftmax(x, 0.5)), [0.2, 0.8])
  })
})

describe('kp2gaussian', () => {
  it('falls by exp(-d² / 2v)', async () => {
    const got = await apply(floats([0, -1], [1, 1, 2]), (x) => kp2gaussian(x, [2, 3], 0.5))
    const [e1, e4, e5] = [Math.exp(-1), Math.exp(-4), Math.exp(-5)]
    expectClose(got, [e1, 1, e1, e5, e4, e5])
  })
})

describe('2x2 matrices', () => {
  it('are inverted by the adjugate', async () => {
    const m = floats([2, 1, 7, 4, 0, -2, 0.5, 0], [1, 2, 2, 2])
    expectClose(await apply(m, inverse2x2), [4, -1, -7, 2, 0, 2, -0.5, 0])
  })

  it('give the identity with their inverse', async () => {
    const m = floats([1.1, 0.2, -0.3, 0.9], [1, 1, 2, 2])
    expectClose(await apply(m, (x) => product2x2(x, inverse2x2(x))), [1, 0, 0, 1])
  })
})

describe('sparse motion', () => {
  const keypoints = (graph: Graph, name: string) => ({
    value: input(graph, `${name}.value`, 'float32', [1, 1, 2]),
    jacobian: input(graph, `${name}.jacobian`, 'float32', [1, 1, 2, 2]),
  })
  const feeds = {
    's.value': floats([0.5, 0], [1, 1, 2]),
    's.jacobian': floats([2, 0, 0, 1], [1, 1, 2, 2]),
    'd.value': floats([0, 0.25], [1, 1, 2]),
    'd.jacobian': floats([1, 0, 0, 2], [1, 1, 2, 2]),
  }

  it('maps the driving keypoint onto the source’s, by the ratio of the jacobians around it', async () => {
    const graph = new Graph()
    graph.output('motions', affineMotions(keypoints(graph, 's'), keypoints(graph, 'd')))
    const { motions } = await evaluate(graph, feeds)
    // J = diag(2, 1/2); shift = (0.5, 0) - J (0, 0.25).
    const background = [1, 0, 0, 1, 0, 0]
    expectClose(Array.from(motions!.data, Number), [...background, 2, 0, 0, 0.5, 0.5, -0.125])
  })

  it('keeps the first linear parts near the mean, if it is told to, and still maps their keypoints', async () => {
    const graph = new Graph()
    // The last one is nearly 90 times as large: it counts as 1.7.
    const jacobians = [1.3, 0, 0, 1, 1, 0, 0.3, 1, 90, 0, 0, 1]
    const three = (values: readonly number[], maps: readonly number[]) => ({
      value: constant(graph, floats(values, [1, 3, 2])),
      jacobian: constant(graph, floats(maps, [1, 3, 2, 2])),
    })
    const [from, to] = [
      [0.5, 0, 0.1, 0.2, -0.4, 0.3],
      [0, 0.25, 0, 0.2, -0.5, 0.3],
    ]
    const still = [1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1]
    graph.output('motions', affineMotions(three(from, jacobians), three(to, still), 2))
    const motions = Array.from((await evaluate(graph, {})).motions!.data, Number)
    // The mean is [4/3, 0; 0.1, 1]. Elements of the first two are within 0.1 of it. They are transposed.
    expectClose(motions.slice(6, 10), [1.3, 0, 0, 1])
    expectClose(motions.slice(12, 16), [4 / 3 - 0.1, 0.2, 0, 1])
    expectClose(motions.slice(18, 22), [90, 0, 0, 1])
    for (const i of [0, 1, 2]) {
      const [a, b, c, d, x, y] = motions.slice(6 * (i + 1)) as [
        number,
        number,
        number,
        number,
        number,
        number,
      ]
      const [px, py] = [to[2 * i]!, to[2 * i + 1]!]
      expectClose([px * a + py * c + x, px * b + py * d + y], [from[2 * i]!, from[2 * i + 1]!])
    }
  })

  it('averages under the mask, and the background leaves the picture as it is', async () => {
    const graph = new Graph()
    const motions = affineMotions(keypoints(graph, 's'), keypoints(graph, 'd'))
    graph.output('deformation', meanDeformation(input(graph, 'mask', 'float32', [1, 2, 1, 2]), motions))
    const source = input(graph, 'source', 'float32', [1, 1, 2, 2])
    graph.output('sparse', sparseDeformations(source, motions, true))
    const { deformation, sparse } = await evaluate(graph, {
      ...feeds,
      mask: floats([1, 0.5, 0, 0.5], [1, 2, 1, 2]),
      source: floats([1, 2, 3, 4], [1, 1, 2, 2]),
    })
    // Pixels at (-1, 0) and (1, 0); the keypoint's motion takes the second to (2.5, -0.125).
    expectClose(Array.from(deformation!.data, Number), [-1, 0, 1.75, -0.0625])
    expectClose(Array.from(sparse!.data, Number).slice(0, 4), [1, 2, 3, 4])
  })
})
