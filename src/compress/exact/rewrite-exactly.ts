import { simplify } from '../../graph/ops/index.ts'
import { filterAsProduct } from './filter-as-product.ts'
import { foldNorms } from './fold-norms.ts'
import { joinHalves } from './joined-halves.ts'
import { poolBeforeJacobian } from './pooled-jacobian.ts'
import { precompute, type Weighted } from './precompute.ts'
import { smallAffineAsProduct } from './small-affine.ts'
import { smallMapsAsProduct } from './small-maps-as-product.ts'
import { splitJoined } from './split-joined.ts'
import { subpixelUpsampling } from './subpixel-upsampling.ts'

/**
 * A trained graph, written so that it computes the same with less: norms folded into kernels, wide
 * convolutions of small maps and chains of narrow ones as products, both halves of split-shuffle blocks at
 * once, upsampling by sub-pixels, the anti-alias filter as two products, features pooled before the jacobians'
 * kernel, and all that weights alone decide computed once. Results agree to rounding.
 */
export async function rewriteExactly({ graph, weights }: Weighted): Promise<Weighted> {
  const cheaper = poolBeforeJacobian(filterAsProduct(simplify(graph), weights))
  const folded = smallMapsAsProduct(foldNorms(cheaper))
  const fewer = splitJoined(subpixelUpsampling(smallAffineAsProduct(joinHalves(folded))))
  const { graph: computed, weights: kept } = await precompute({ graph: fewer, weights })
  return { graph: simplify(computed), weights: kept }
}
