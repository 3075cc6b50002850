import { describe, expect, it } from 'vitest'
import { Graph, type Value } from '../../src/graph/graph.ts'
import { constant, input } from '../../src/graph/ops/leaf.ts'
import { floats, type Tensor } from '../../src/graph/tensor.ts'
import { affineMotions, meanDeformation, sparseDeformations } from '../../src/motion/dense-motion.ts'
import {
  fitted,
  inverse2x2,
  kp2gaussian,
  product2x2,
  softArgmax,
  spatialSoftmax,
} from '../../src/motion/keypoints.ts'
import { evaluate } from '../../src/runtime/node.ts'
import { expectGradients, probe } from '../support/gradcheck.ts'

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

  describe('with fitted keypoints', () => {
    const count = 8
    /** Places in a ring around the middle, and one more keypoint that goes its own way. */
    const places = [...Array(count + 1).keys()].flatMap((i) => [0.4 * Math.cos(i), 0.3 * Math.sin(i)])
    const affine = [1.2, 0.3, -0.2, 0.9]
    const moved = places.map((_, i) => {
      if (i >= 2 * count) return 0.9
      const [x, y] = [places[i - (i % 2)]!, places[i - (i % 2) + 1]!]
      const row = 2 * (i % 2)
      return affine[row]! * x + affine[row + 1]! * y + 0.05
    })
    const shape = [1, count + 1]
    /** Jacobians of the source that say nothing of it; the last one is nearly singular when it is inverted. */
    const wild = places
      .slice(0, count + 1)
      .flatMap((_, i) => [1 + 0.4 * Math.sin(3 * i), 0, 0.2, i === count ? 90 : 1])
    const linearOf = async (from: readonly number[], to: readonly number[]) => {
      const graph = new Graph()
      const given = (value: readonly number[], jacobian: readonly number[]) => ({
        value: constant(graph, floats(value, [...shape, 2])),
        jacobian: constant(graph, floats(jacobian, [...shape, 2, 2])),
      })
      const identities = places.slice(0, count + 1).flatMap(() => [1, 0, 0, 1])
      graph.output('motions', affineMotions(given(from, wild), given(to, identities), count))
      return Array.from((await evaluate(graph, {})).motions!.data, Number)
    }

    it('turns and stretches them as their places do, whatever jacobians say, and leaves the others alone', async () => {
      const motions = await linearOf(moved, places)
      for (let k = 0; k < count; k++) {
        const [a, b, c, d, x, y] = motions.slice(6 * (k + 1)) as [
          number,
          number,
          number,
          number,
          number,
          number,
        ]
        // Transposed; the mean of all linear parts has a small share.
        expect(Math.max(...[a - 1.2, c - 0.3, b + 0.2, d - 0.9].map(Math.abs)), `keypoint ${k}`).toBeLessThan(
          0.08,
        )
        const [px, py] = [places[2 * k]!, places[2 * k + 1]!]
        expectClose([px * a + py * c + x, px * b + py * d + y], [moved[2 * k]!, moved[2 * k + 1]!])
      }
      const own = wild.slice(4 * count)
      expectClose(motions.slice(6 * (count + 1), 6 * (count + 1) + 4), [own[0]!, own[2]!, own[1]!, own[3]!])
    })

    it('is still where places and jacobians are', async () => {
      const graph = new Graph()
      const value = constant(graph, floats(places, [...shape, 2]))
      const jacobian = constant(graph, floats(wild, [...shape, 2, 2]))
      graph.output('motions', affineMotions({ value, jacobian }, { value, jacobian }, count))
      const { motions } = await evaluate(graph, {})
      for (let k = 0; k <= count; k++) {
        expectClose(Array.from(motions!.data, Number).slice(6 * k, 6 * k + 6), [1, 0, 0, 1, 0, 0])
      }
    })

    it('has the gradient of its formula', () => {
      const check = probe(
        [
          [1, 5, 2],
          [1, 5, 2],
          [1, 5, 2, 2],
        ],
        (source, driving, linear) => fitted(source!, driving!, linear!, 4),
        { range: [-0.5, 0.5] },
      )
      expectGradients(check)
    })
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
