import type { Value } from '../graph/graph.ts'
import { add, mul, reduceMean } from '../graph/ops/arithmetic.ts'
import { resize } from '../graph/ops/resize.ts'
import { relu } from '../graph/ops/unary.ts'
import { columnConv, rowConv } from './asymmetric.ts'
import { batchNorm2d } from './batch-norm.ts'
import { conv2d } from './conv2d.ts'
import type { Scope } from './scope.ts'

const epsilon = 1e-3

/**
 * Attention pyramid network, APN: LEDNet's decoder (Wang et al. 2019, section 3.2). A pyramid one channel
 * wide weighs each pixel of the projected features, and the projected global mean is added.
 *
 * The paper leaves the pyramid's width open; this is the form of the Efficient-Segmentation-Networks
 * repository: width 1, its 7x7, 5x5 and 3x3 kernels factorised.
 *
 * @param x [N, C, H, W]
 * @returns [N, outputs, H, W]
 */
export function attentionPyramid(scope: Scope, x: Value, outputs: number): Value {
  const [h, w] = x.shape.slice(2) as [number, number]
  const project = (name: string, value: Value) => {
    const sequence = scope.child(name).child('conv')
    const projected = conv2d(sequence.child(0), value, outputs, { kernel: 1 })
    return relu(batchNorm2d(sequence.child(1), projected, { epsilon }))
  }
  const upsample = (value: Value, size: readonly [number, number]) => resize(value, size, 'bilinear-corners')

  const mean = project('branch1.1', reduceMean(x, [2, 3], { keep: true }))
  const middle = project('mid.0', x)

  const level1 = line(scope.child('down1'), 0, x, 7, 2)
  const level2 = line(scope.child('down2'), 0, level1, 5, 2)
  const level3 = line(scope.child('down3'), 4, line(scope.child('down3'), 0, level2, 3, 2), 3)
  const quarter = upsample(level3, [Math.floor((h + 3) / 4), Math.floor((w + 3) / 4)])
  const half = upsample(add(line(scope.child('conv2'), 0, level2, 5), quarter), [
    Math.floor((h + 1) / 2),
    Math.floor((w + 1) / 2),
  ])
  const attention = upsample(add(line(scope.child('conv1'), 0, level1, 7), half), [h, w])
  return add(mul(attention, middle), mean)
}

/** n x 1, 1 x n, norm and ReLU to one channel; the three stand in the checkpoint's sequence from `first`. */
function line(scope: Scope, first: number, x: Value, length: number, stride = 1): Value {
  const column = columnConv(scope.child(first), x, { length, stride, outputs: 1 })
  const row = rowConv(scope.child(first + 1), column, { length, stride })
  return relu(batchNorm2d(scope.child(first + 2), row, { epsilon }))
}
