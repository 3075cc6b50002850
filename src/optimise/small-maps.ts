// Maps of a few pixels, on which a call costs more than its products: wide convolutions, and chains of narrow ones, become
// matrix products.

import type { Graph, Node, Value } from '../graph/graph.ts'
import { add, sub } from '../graph/ops/arithmetic.ts'
import { constant, isLeaf } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { concat, reshape, transpose } from '../graph/ops/shape.ts'
import { relu } from '../graph/ops/unary.ts'
import { isPlainConv, madeBy, numbers, rewrite } from '../graph/rewrite.ts'
import { floats, sizeOf } from '../graph/tensor.ts'
import { doubled, reads } from './doubled-maps.ts'

/**
 * A wide convolution of a map of a few pixels costs the reading of its weights, which a matrix product does
 * fastest: all pixels times all taps first, then the sums over taps, which no weight enters. Where the map was
 * doubled by nearest neighbour, the small pixels are multiplied: 9 products per small pixel instead of 36.
 *
 * ```
 * x [pixels, C] · kernel [C, taps D] = [pixels taps, D];   sums [results, pixels taps] · that + bias
 * ```
 */
export function smallMapsAsProduct(graph: Graph): Graph {
  return rewrite(graph, (node, inputs, target) => {
    if (!isPlainConv(node) || sizeOf(node.inputs[1]!.shape) < leastWeights) return undefined
    const small = doubled(inputs[0]!)
    const x = small ?? inputs[0]!
    if (x.shape[0] !== 1 || x.shape[2]! * x.shape[3]! > mostPixels) return undefined
    return target.within(node.scope, () => [product(node, x, inputs, small === undefined ? 1 : 2)])
  })
}

/** Above, a convolution is bound by its products, and does as few. */
const mostPixels = 16
/** Below, weights stay in the cache. */
const leastWeights = 1 << 18

function product(
  { attrs, outputs }: Node,
  x: Value,
  [, kernel, bias]: readonly Value[],
  scale: 1 | 2,
): Value {
  const [, channels, height, width] = x.shape as [number, number, number, number]
  const [made, , kh, kw] = kernel!.shape as [number, number, number, number]
  const pixels = transpose(reshape(x, [channels, height * width]), [1, 0])
  const taps = reshape(transpose(kernel!, [1, 2, 3, 0]), [channels, kh * kw * made])
  const products = reshape(matmul(pixels, taps), [height * width * kh * kw, made])

  const [, , rows, columns] = outputs[0]!.shape as [number, number, number, number]
  const [top, left] = numbers(attrs.pads) as [number, number]
  const down = reads({ results: rows, taps: kh, pixels: height, before: top, scale })
  const across = reads({ results: columns, taps: kw, pixels: width, before: left, scale })
  const sums = new Float32Array(rows * columns * height * width * kh * kw)
  for (const [row, ty, y] of down) {
    for (const [column, tx, x] of across) {
      const result = row * columns + column
      const term = (y * width + x) * kh * kw + ty * kw + tx
      sums[result * height * width * kh * kw + term] = 1
    }
  }
  const summed = matmul(constant(x.graph, floats(sums, [rows * columns, height * width * kh * kw])), products)
  const biased = bias === undefined ? summed : add(summed, bias)
  return reshape(transpose(biased, [1, 0]), outputs[0]!.shape)
}

/**
 * Convolutions, resizing and sums of maps of a few numbers are one affine map of what they read, x A + b,
 * however many they are. Each costs its call and not its products, so they become one product: LEDNet's
 * attention pyramid, on maps of 4x4 and less, goes from thirty calls to a dozen.
 *
 * A holds the results of the ops for unit vectors, and b their result for zeros. Both depend on weights alone.
 */
export function smallAffineAsProduct(graph: Graph): Graph {
  const known = new Map<Value, Affine>()
  const fixed = new Set<Value>()
  return rewrite(graph, (node, inputs, target) => {
    const outputs = target.within(node.scope, () => target.apply(node.op, inputs, node.attrs))
    const isFixed = isLeaf(node) ? node.op.name !== 'input' : inputs.every((input) => fixed.has(input))
    if (isFixed) for (const output of outputs) fixed.add(output)
    const flatRelu = node.op.name === 'relu' ? rectified(inputs[0]!) : undefined
    if (flatRelu !== undefined) return [flatRelu]
    const affine = isFixed ? undefined : affineOf(outputs[0]!.node, known, fixed)
    if (affine === undefined) return outputs
    const made = affine.worthwhile
      ? target.within(node.scope, () => affineProduct(outputs[0]!, affine))
      : outputs[0]!
    known.set(made, affine)
    return [made]
  })
}

/** A value as an affine function of others. */
interface Affine {
  readonly roots: readonly Value[]
  /** The function, of a batch of values for each root. */
  readonly apply: (of: ReadonlyMap<Value, Value>) => Value
  /** Whether it holds more than sums. */
  readonly worthwhile: boolean
}

/** Numbers of a map that is small. */
const mostNumbers = 128

const isSmall = ({ shape, dtype }: Value) =>
  dtype === 'float32' && shape.length === 4 && shape[0] === 1 && sizeOf(shape) <= mostNumbers

function affineOf(
  node: Node,
  known: ReadonlyMap<Value, Affine>,
  fixed: ReadonlySet<Value>,
): Affine | undefined {
  const { op, inputs, attrs, outputs } = node
  const reads = inputs.filter((input) => !fixed.has(input))
  const onlyFirst = reads.length === 1 && reads[0] === inputs[0]
  const isAffine = op.name === 'add' || (['conv', 'resize'].includes(op.name) && onlyFirst)
  if (!isAffine || ![...reads, outputs[0]!].every(isSmall)) return undefined
  const parts = reads.map((input) => known.get(input))
  return {
    roots: [...new Set(reads.flatMap((input, i) => parts[i]?.roots ?? [input]))],
    apply: (of) => {
      const given = inputs.map((input) =>
        fixed.has(input) ? input : (known.get(input)?.apply(of) ?? of.get(input)!),
      )
      return node.outputs[0]!.graph.apply(op, given, attrs)[0]!
    },
    worthwhile: op.name !== 'add' || parts.some((part) => part?.worthwhile),
  }
}

function affineProduct({ graph, shape }: Value, { roots, apply }: Affine): Value {
  const sizes = roots.map((root) => sizeOf(root.shape))
  const total = sizes.reduce((a, b) => a + b)
  const results = sizeOf(shape)
  let before = 0
  const units = roots.map((root, i) => {
    const data = new Float32Array(total * sizes[i]!)
    for (let j = 0; j < sizes[i]!; j++) data[(before + j) * sizes[i]! + j] = 1
    before += sizes[i]!
    return [root, constant(graph, floats(data, [total, ...root.shape.slice(1)]))] as const
  })
  const zeros = roots.map(
    (root) => [root, constant(graph, floats(new Float32Array(sizeOf(root.shape)), root.shape))] as const,
  )
  const b = reshape(apply(new Map(zeros)), [1, results])
  const a = sub(reshape(apply(new Map(units)), [total, results]), b)
  const flat = roots.map((root) => flattened(root) ?? reshape(root, [1, sizeOf(root.shape)]))
  return reshape(add(matmul(flat.length === 1 ? flat[0]! : concat(flat, 1), a), b), shape)
}

/** What a map is a reshaped row of. */
function flattened(map: Value): Value | undefined {
  const row = madeBy(map, 'reshape')?.inputs[0]
  return row !== undefined && row.shape.length === 2 && row.shape[0] === 1 ? row : undefined
}

/** ReLU before the row becomes a map again: right behind its product, ONNX Runtime makes one call of both. */
function rectified(map: Value): Value | undefined {
  const row = flattened(map)
  return row && reshape(relu(row), map.shape)
}
