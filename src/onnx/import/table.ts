import { cuts } from './cuts.ts'
import { elementwise } from './elementwise.ts'
import { leaves } from './leaves.ts'
import { linear } from './linear.ts'
import type { Importer } from './node.ts'
import { pools } from './pools.ts'
import { reductions } from './reductions.ts'
import { resampling } from './resampling.ts'
import { shapes } from './shapes.ts'

const families = [cuts, elementwise, leaves, linear, pools, reductions, resampling, shapes]

/** How each ONNX op is read, by its type. */
export const importers: ReadonlyMap<string, Importer> = new Map(families.flatMap(Object.entries<Importer>))
