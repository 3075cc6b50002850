import type { Value } from '../../graph/graph.ts'
import { add, div, mul, sub } from '../../graph/ops/arithmetic.ts'
import { conv, convTranspose } from '../../graph/ops/conv.ts'
import { matmul, transposeLast } from '../../graph/ops/linear.ts'
import { normalise } from '../../graph/ops/normalise.ts'
import { reshape } from '../../graph/ops/shape.ts'
import { sqrt } from '../../graph/ops/unary.ts'
import { geometryOf, sizes } from './geometry.ts'
import type { Importers, OnnxNode } from './node.ts'

/** Convolutions, matrix products and batch normalisation. */

function importConv(node: OnnxNode): Value {
  const [x, w] = [node.input(0), node.input(1)]
  const geometry = geometryOf(node, w.shape.slice(2), x.shape)
  return conv(x, w, node.optional(2), { ...geometry, group: node.int('group', 1) })
}

function importConvTranspose(node: OnnxNode): Value {
  if (node.hasAttribute('output_shape') || node.text('auto_pad', 'NOTSET') !== 'NOTSET') {
    node.refuse('only a ConvTranspose with written pads is known', { remedy: 'export it with pads' })
  }
  const [x, w] = [node.input(0), node.input(1)]
  const [bottom = 0, right = 0] = sizes(node, 'output_padding', 2, 0) ?? []
  const geometry = geometryOf(node, w.shape.slice(2), x.shape)
  const group = node.int('group', 1)
  return convTranspose(x, w, node.optional(2), { ...geometry, group, outputPadding: [bottom, right] })
}

/** alpha A B + beta C, with A and B transposed where told. */
function importGemm(node: OnnxNode): Value {
  const matrix = (index: number, flag: string) => {
    const value = node.input(index)
    if (value.shape.length !== 2) node.refuse(`input ${index} of Gemm is no matrix`)
    return node.int(flag, 0) === 0 ? value : transposeLast(value)
  }
  const scaled = (x: Value, by: number) => (by === 1 ? x : mul(x, by))
  const product = scaled(matmul(matrix(0, 'transA'), matrix(1, 'transB')), node.float('alpha', 1))
  const bias = node.optional(2)
  return bias === undefined ? product : add(product, scaled(bias, node.float('beta', 1)))
}

function importMatMul(node: OnnxNode): Value {
  const [a, b] = [node.input(0), node.input(1)]
  if (a.shape.length > 1 && b.shape.length > 1) return matmul(a, b)
  // A vector is a row on the left and a column on the right; its axis goes from the result.
  const row = a.shape.length === 1 ? reshape(a, [1, -1]) : a
  const column = b.shape.length === 1 ? reshape(b, [-1, 1]) : b
  const product = matmul(row, column)
  const rank = product.shape.length
  const gone = (i: number) =>
    (a.shape.length === 1 && i === rank - 2) || (b.shape.length === 1 && i === rank - 1)
  return reshape(
    product,
    product.shape.filter((_, i) => !gone(i)),
  )
}

function importBatchNormalization(node: OnnxNode): Value {
  if (node.int('training_mode', 0) !== 0) {
    node.refuse('the model is in training mode', { remedy: 'export it in evaluation mode' })
  }
  const x = node.input(0)
  const [gamma, beta, mean, variance] = [node.input(1), node.input(2), node.input(3), node.input(4)]
  const epsilon = node.float('epsilon', 1e-5)
  if (x.shape.length === 4) return normalise(x, { gamma, beta, mean, variance }, epsilon)
  const wide = (vector: Value) => reshape(vector, [-1, ...x.shape.slice(2).map(() => 1)])
  const scale = div(gamma, sqrt(add(variance, epsilon)))
  return add(mul(sub(x, wide(mean)), wide(scale)), wide(beta))
}

export const linear: Importers = {
  BatchNormalization: importBatchNormalization,
  Conv: importConv,
  ConvTranspose: importConvTranspose,
  Gemm: importGemm,
  MatMul: importMatMul,
}
