import type { Value } from '../graph/graph.ts'
import { relu } from '../graph/ops/unary.ts'
import { batchNorm2d } from './batch-norm.ts'
import { conv2d } from './conv2d.ts'
import { prelu } from './prelu.ts'
import type { Scope } from './scope.ts'

/**
 * What ENet's blocks have in common. They exist in two forms: `reference` is that of the
 * Efficient-Segmentation-Networks repository, whose parameters' names ours are; `original` is that of the
 * authors' own Torch code (e-lab/ENet-training).
 *
 * |                                   | reference                  | original                           |
 * | --------------------------------- | -------------------------- | ---------------------------------- |
 * | PReLU                             | one slope a block, shared  | a slope for each channel, unshared |
 * | activation before the sum         | yes                        | no                                 |
 * | bias of the middle convolution    | no                         | yes                                |
 * | between the asymmetric kernels    | norm and activation        | nothing                            |
 * | their order                       | column, row                | row, column                        |
 * | inner width where sizes change    | a quarter of the input's   | a quarter of the output's          |
 * | epsilon of norms                  | 1e-5                       | 1e-3                               |
 */
export interface EnetStyle {
  readonly form: 'reference' | 'original'
  /** The paper's encoder has PReLUs, its decoder ReLUs. */
  readonly activation: 'prelu' | 'relu'
}

export const norm = (scope: Scope, x: Value, { form }: EnetStyle, gain = 1): Value =>
  batchNorm2d(scope, x, { epsilon: form === 'reference' ? 1e-5 : 1e-3, gain })

/**
 * The activation that stands at `name` in a block. In the reference all of a block's are one module, whose
 * last name `out_prelu` is the one that counts when a checkpoint is loaded.
 */
export function activate(block: Scope, name: string, x: Value, { form, activation }: EnetStyle): Value {
  if (activation === 'relu') return relu(x)
  if (form === 'reference') return prelu(block.child('out_prelu'), x)
  return prelu(block.child(name), x, { perChannel: true })
}

/** Inner width of a block that goes from `inputs` to `outputs` channels. */
export const innerWidth = (inputs: number, outputs: number, { form }: EnetStyle): number =>
  Math.floor((form === 'reference' ? inputs : outputs) / 4)

export interface BranchOptions {
  readonly inner: number
  readonly outputs: number
  /** Of the first convolution, whose kernel is as large (default 1). */
  readonly stride?: number
  /** Where the scale of the last norm starts (default 1). */
  readonly gain?: number
  /** Place of the middle's last convolution in its sequence (default 0). */
  readonly last?: number
}

/**
 * The branch of a bottleneck: narrow, work, widen, each with a norm.
 *
 * @param middle what works on the narrow map, in the scope of its sequence; the norm after it is added here
 */
export function enetBranch(
  block: Scope,
  x: Value,
  style: EnetStyle,
  { inner, outputs, stride = 1, gain = 1, last = 0 }: BranchOptions,
  middle: (sequence: Scope, x: Value) => Value,
): Value {
  const narrow = block.child('ext_conv1')
  let y = conv2d(narrow.child(0), x, inner, { kernel: stride, stride, padding: 0, bias: false })
  y = activate(block, 'ext_conv1.2', norm(narrow.child(1), y, style), style)

  const work = block.child('ext_conv2')
  y = norm(work.child(last + 1), middle(work, y), style)
  y = activate(block, `ext_conv2.${last + 2}`, y, style)

  const widen = block.child('ext_conv3')
  y = conv2d(widen.child(0), y, outputs, { kernel: 1, bias: false })
  y = norm(widen.child(1), y, style, gain)
  return style.form === 'reference' ? activate(block, 'ext_conv3.2', y, style) : y
}
