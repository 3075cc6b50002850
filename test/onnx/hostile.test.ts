import { clone, create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { verify } from '../../src/graph/graph.ts'
import { floats, ints } from '../../src/graph/tensor.ts'
import { toOnnx } from '../../src/onnx/export.ts'
import { type ModelProto, ModelProtoSchema } from '../../src/onnx/generated/onnx_pb.ts'
import { fromOnnx, importers } from '../../src/onnx/import.ts'
import { InputError } from '../../src/util/errors.ts'
import { weightsFor } from './feeds.ts'
import { graphs } from './graphs.ts'
import { model, modelBytes, node, type Plan } from './models.ts'

const plan: Plan = {
  inputs: { x: [1, 2, 4, 4] },
  tensors: { w: floats(new Float32Array(18), [1, 2, 3, 3]), shape: ints([1, -1]) },
  nodes: [node('Conv', ['x', 'w'], ['a'], { pads: [1, 1, 1, 1] }), node('Reshape', ['a', 'shape'], ['y'])],
}

/** The plan's model after a change. */
function changed(change: (model: ModelProto, graph: NonNullable<ModelProto['graph']>) => void): Uint8Array {
  const made = model(plan)
  change(made, made.graph!)
  return toBinary(ModelProtoSchema, made)
}

const cases: Readonly<Record<string, () => Uint8Array>> = {
  'no bytes': () => new Uint8Array(),
  'another format': () => new TextEncoder().encode('PK\u0003\u0004 this is no model'),
  'a cut file': () => modelBytes(plan).subarray(0, 150),
  'an old operator set': () => modelBytes({ ...plan, opset: 3 }),
  'a cycle': () =>
    modelBytes({
      inputs: { x: [2] },
      nodes: [node('Add', ['x', 'b'], ['a']), node('Relu', ['a'], ['b'])],
      outputs: ['b'],
    }),
  'nodes out of order': () => changed((_, graph) => graph.node.reverse()),
  'a name made twice': () => modelBytes({ ...plan, nodes: [...plan.nodes, ...plan.nodes] }),
  'a missing output': () => modelBytes({ ...plan, outputs: ['z'] }),
  'an unknown op': () => modelBytes({ ...plan, nodes: [node('Einsum', ['x'], ['y'])] }),
  'a foreign domain': () =>
    changed((_, graph) => {
      graph.node[1]!.domain = 'com.example'
    }),
  'too few raw bytes': () =>
    changed((_, graph) => {
      graph.initializer[0]!.rawData = new Uint8Array(12)
    }),
  'a negative axis': () =>
    changed((_, graph) => {
      graph.initializer[0]!.dims = [-1n, 2n, 3n, 3n]
    }),
  'a huge axis': () =>
    changed((_, graph) => {
      graph.initializer[0]!.dims = [2n ** 62n, 2n, 3n, 3n]
    }),
  'brain floats': () =>
    changed((_, graph) => {
      graph.initializer[0]!.dataType = 16
    }),
  'external data': () =>
    changed((_, graph) => {
      graph.initializer[0]!.rawData = new Uint8Array()
      graph.initializer[0]!.dataLocation = 1
      graph.initializer[0]!.externalData = [
        { $typeName: 'onnx.StringStringEntryProto', key: 'location', value: '../secret' },
      ]
    }),
  'an attribute of another type': () =>
    modelBytes({ ...plan, nodes: [node('Flatten', ['x'], ['y'], { axis: 'one' })] }),
  'shapes that do not fit': () =>
    changed((_, graph) => {
      graph.initializer[0]!.dims = [2n, 1n, 3n, 3n]
    }),
  'a stride of zero': () =>
    modelBytes({ ...plan, nodes: [node('Conv', ['x', 'w'], ['y'], { strides: [0, 0] })] }),
  'a pad beyond reason': () =>
    modelBytes({
      inputs: { x: [1, 2] },
      tensors: { p: ints([0, 2 ** 40, 0, 0]) },
      nodes: [node('Pad', ['x', 'p'], ['y'])],
    }),
  'a shape that the model computes': () =>
    modelBytes({ ...plan, nodes: [node('Reshape', ['x', 'x'], ['y'])] }),
  'deep nesting': () => nested(4000),
  'a million empty nodes': () =>
    changed((made) => {
      made.graph = create(ModelProtoSchema, {
        graph: { node: Array.from({ length: 2 ** 20 + 1 }, () => ({})) },
      }).graph!
    }),
}

/** A model whose graph's node holds a graph whose node holds a graph, and so on. */
function nested(depth: number): Uint8Array {
  let bytes = new Uint8Array()
  const wrap = (field: number) => {
    bytes = new BinaryWriter().tag(field, WireType.LengthDelimited).bytes(bytes).finish() as typeof bytes
  }
  for (let i = 0; i < depth; i++) for (const field of [6, 5, 1]) wrap(field)
  wrap(7)
  return bytes
}

describe('damaged or hostile files are refused in words', () => {
  test.each(Object.entries(cases))('%s', (_, make) => {
    const bytes = make()
    expect(() => fromOnnx(bytes)).toThrowErrorMatchingSnapshot()
  })
})

describe('whatever happens to the bytes, nothing but a FormatError or an InputError is thrown', () => {
  const sources = [
    modelBytes(plan),
    ...Object.values(graphs).map((build) => toOnnx(build(), { weights: weightsFor(build()) })),
  ]
  const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), byte: fc.nat(255) })

  /** @returns what was wrong, if anything. */
  function attempt(bytes: Uint8Array): string {
    try {
      verify(fromOnnx(bytes).graph)
      return ''
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      return error.problem.what
    }
  }

  test('bytes replaced', () => {
    const changes = fc.array(change, { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.constantFrom(...sources), changes, (source, edits) => {
        const bytes = source.slice()
        for (const { at, byte } of edits) bytes[Math.floor(at * (bytes.length - 1))] = byte
        attempt(bytes)
      }),
      { seed: 42, numRuns: 4000 },
    )
  })

  test('bytes cut out, doubled, or cut off', () => {
    const range = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(40))
    fc.assert(
      fc.property(
        fc.constantFrom(...sources),
        range,
        fc.constantFrom('cut', 'double', 'end'),
        (source, [at, length], how) => {
          const start = Math.floor(at * source.length)
          const end = Math.min(source.length, start + length)
          const tail = how === 'cut' ? source.subarray(end) : how === 'double' ? source.subarray(start) : []
          attempt(Uint8Array.from([...source.subarray(0, how === 'double' ? end : start), ...tail]))
        },
      ),
      { seed: 43, numRuns: 2000 },
    )
  })

  test('arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void attempt(bytes)),
      { seed: 44, numRuns: 2000 },
    )
  })

  // Well-formed files that make no sense get past the decoder and reach every importer.
  test('fields replaced', () => {
    const models = sources.map((source) => fromBinary(ModelProtoSchema, source))
    const number = fc.constantFrom(
      -(2n ** 63n),
      -2n,
      -1n,
      0n,
      1n,
      2n,
      3n,
      5n,
      40n,
      2n ** 31n,
      2n ** 53n,
      2n ** 62n,
    )
    const edit = fc.record({
      kind: fc.constantFrom('op', 'input', 'attribute', 'dims', 'type', 'content', 'opset', 'drop', 'name'),
      at: fc.nat(),
      other: fc.nat(),
      number,
      op: fc.constantFrom(...importers.keys()),
    })
    const reached = new Set<string>()
    fc.assert(
      fc.property(
        fc.constantFrom(...models),
        fc.array(edit, { minLength: 1, maxLength: 3 }),
        (source, edits) => {
          const copy = clone(ModelProtoSchema, source)
          for (const one of edits) apply(copy, one)
          reached.add(attempt(toBinary(ModelProtoSchema, copy)))
        },
      ),
      { seed: 45, numRuns: 8000 },
    )
    // The negative control: a test that always fails at the same place would tell nothing.
    expect(reached.size).toBeGreaterThan(60)
  })
})

interface Edit {
  readonly kind: 'op' | 'input' | 'attribute' | 'dims' | 'type' | 'content' | 'opset' | 'drop' | 'name'
  readonly at: number
  readonly other: number
  readonly number: bigint
  readonly op: string
}

/** Changes one field of a model; places are taken modulo what there is. */
function apply(model: ModelProto, { kind, at, other, number, op }: Edit): void {
  const { node: nodes, initializer } = model.graph!
  const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length]
  const made = pick(nodes, at)
  const tensor = pick(initializer, at)
  if (kind === 'op' && made) made.opType = op
  if (kind === 'input' && made)
    made.input[Math.min(other % 5, made.input.length)] = pick(nodes, other)?.output[0] ?? ''
  if (kind === 'name' && made)
    made.output[Math.min(other % 3, made.output.length)] = pick(initializer, other)?.name ?? 'x'
  if (kind === 'attribute' && made) {
    const attribute = pick(made.attribute, other)
    if (attribute?.ints.length) attribute.ints[other % attribute.ints.length] = number
    else if (attribute) attribute.i = number
  }
  if (kind === 'drop' && made) made.attribute.splice(other % (made.attribute.length + 1), 1)
  if (kind === 'dims' && tensor) tensor.dims[Math.min(other % 4, tensor.dims.length)] = number
  if (kind === 'type' && tensor) tensor.dataType = other % 12
  if (kind === 'content' && tensor && tensor.dataType === 7 && tensor.rawData.length >= 8) {
    new DataView(tensor.rawData.buffer, tensor.rawData.byteOffset).setBigInt64(0, number, true)
  }
  if (kind === 'opset') model.opsetImport[0]!.version = BigInt(7 + (other % 16))
}
