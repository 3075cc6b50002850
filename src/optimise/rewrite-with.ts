import { simplify } from '../graph/ops/index.ts'
import { doubledAsProduct } from './doubled-as-product.ts'
import { filterAsProduct } from './filter-as-product.ts'
import { foldNorms } from './fold-norms.ts'
import { joinHalves } from './joined-halves.ts'
import { joinParallelConvs } from './parallel-convs.ts'
import { poolBeforeJacobian } from './pooled-jacobian.ts'
import { type Evaluate, precompute, type Weighted } from './precompute.ts'
import { smallAffineAsProduct } from './small-affine.ts'
import { smallMapsAsProduct } from './small-maps-as-product.ts'
import { splitJoined } from './split-joined.ts'
import { subpixelUpsampling } from './subpixel-upsampling.ts'

export interface RewriteOptions {
  /**
   * Whose kernels it is written for (default `native`): ONNX Runtime's on the CPU, which compute blocks of sixteen
   * channels at once, or those on WebAssembly, whose time is that of the products alone. Each runs on both.
   */
  readonly target?: RewriteTarget
}

export type RewriteTarget = 'native' | 'wasm'

/**
 * A trained graph, written so that it computes the same with less: norms folded into kernels, parallel branches
 * summed as kernels, wide convolutions of small maps and chains of narrow ones as products, both halves of
 * split-shuffle blocks at once, doubled maps multiplied while they are small, the anti-alias filter as two
 * products, features pooled before the jacobians' kernel, and all that weights alone decide computed once.
 * Results agree to rounding.
 *
 * @param evaluate computes what weights alone decide
 */
export async function rewriteWith(
  evaluate: Evaluate,
  { graph, weights }: Weighted,
  { target = 'native' }: RewriteOptions = {},
): Promise<Weighted> {
  const cheaper = poolBeforeJacobian(filterAsProduct(simplify(graph), weights))
  const folded = smallMapsAsProduct(foldNorms(joinParallelConvs(cheaper)))
  const doubled = subpixelUpsampling(doubledAsProduct(smallAffineAsProduct(joinHalves(folded))))
  const fewer = target === 'native' ? splitJoined(doubled) : doubled
  const { graph: computed, weights: kept } = await precompute({ graph: fewer, weights }, evaluate)
  return { graph: simplify(computed), weights: kept }
}
