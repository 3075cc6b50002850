import type { Value } from '../graph/graph.ts'
import { minimum } from '../graph/ops/compare.ts'
import { relu } from '../graph/ops/unary.ts'

/** min(max(x, 0), 6): what MobileNets use, whose values then fit a few bits. No gradient above 6. */
export const relu6 = (x: Value): Value => minimum(relu(x), 6)
