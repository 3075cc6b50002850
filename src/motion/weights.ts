// Parameters of a graph: their list, their starting values, and their number.
import type { Graph } from '../graph/graph.ts'
import { type Initial, type ParameterInfo, parameterInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { floats, type Shape, sizeOf, type Tensor } from '../graph/tensor.ts'
import { Random } from '../util/random.ts'

/** The parameters that a graph's outputs depend on, in the order in which they were made. */
export function parametersOf(graph: Graph): ParameterInfo[] {
  return liveNodes(graph).flatMap((node) => parameterInfo(node) ?? [])
}

/**
 * Starting values of parameters. Each parameter draws from a generator of its own, seeded by one number of
 * `random` and its name: so its values depend neither on the order of building nor on what other parameters
 * there are, and two detectors can be compared under the very same generator.
 *
 * @returns a float32 tensor for each name
 */
export function initialise(
  parameters: Iterable<ParameterInfo>,
  random: Random,
): Map<string, Tensor<'float32'>> {
  const base = random.uint32()
  return new Map(
    Array.from(parameters, ({ name, shape, initial }) => {
      const own = new Random((base ^ hash(name)) >>> 0)
      return [name, initial.kind === 'values' ? copy(initial.values) : drawn(initial, own, shape)]
    }),
  )
}

function drawn(initial: Exclude<Initial, { kind: 'values' }>, random: Random, shape: Shape) {
  const data = new Float32Array(sizeOf(shape))
  if (initial.kind === 'fill') data.fill(initial.value)
  else if (initial.kind === 'uniform') {
    const { amount } = initial
    for (let i = 0; i < data.length; i++) data[i] = random.between(-amount, amount)
  } else {
    for (let i = 0; i < data.length; i++) data[i] = initial.deviation * random.normal()
  }
  return { dtype: 'float32', data, shape } as const
}

const copy = ({ data, shape }: Tensor<'float32'>) => floats(data, shape)

/** FNV-1a, 32 bits, over the name's UTF-16 units. */
function hash(name: string): number {
  let value = 0x811c9dc5
  for (let i = 0; i < name.length; i++) value = Math.imul(value ^ name.charCodeAt(i), 0x01000193)
  return value >>> 0
}

/** Number of trained numbers: as PyTorch counts `parameters()`, without buffers. */
export function countParameters(parameters: Iterable<ParameterInfo>): number {
  let sum = 0
  for (const { role, shape } of parameters) if (role === 'weight') sum += sizeOf(shape)
  return sum
}
