// Reading a TF.js graph model: the JSON of its graph, and the file of its weights.
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { z } from 'zod'
import { halfToNumber, sizeOf, type Tensor, tensor } from '../../src/graph/tensor.ts'
import { EnvironmentError, FormatError, messageOf } from '../../src/util/errors.ts'

const list = z.object({
  list: z.object({ i: z.array(z.string()).optional(), s: z.array(z.string()).optional() }),
})

const nodeSchema = z.object({
  name: z.string(),
  op: z.string(),
  input: z.array(z.string()).default([]),
  attr: z
    .object({
      strides: list.optional(),
      dilations: list.optional(),
      ksize: list.optional(),
      fused_ops: list.optional(),
      padding: z.object({ s: z.string() }).optional(),
      shape: z
        .object({ shape: z.object({ dim: z.array(z.object({ size: z.string() })).optional() }) })
        .optional(),
    })
    .default({}),
})

const weightSchema = z.object({
  name: z.string(),
  shape: z.array(z.int().nonnegative()),
  dtype: z.enum(['float32', 'int32']),
  quantization: z.object({ dtype: z.literal('float16') }).optional(),
})

const modelSchema = z.object({
  format: z.literal('graph-model'),
  modelTopology: z.object({ node: z.array(nodeSchema) }),
  weightsManifest: z.array(z.object({ paths: z.array(z.string()), weights: z.array(weightSchema) })),
})

/** A node of a TF.js graph. Attributes are still in the form of the file. */
export type TfjsNode = z.infer<typeof nodeSchema>

/** A TF.js graph model in memory. */
export interface TfjsModel {
  /** In the order of the file, which need not be an order of computation. */
  readonly nodes: readonly TfjsNode[]
  /** Contents of the constants, by name. Numbers of 16 bits are float32 here. */
  readonly constants: ReadonlyMap<string, Tensor>
}

/**
 * Reads a graph model.
 *
 * @param path of the JSON file; the weights are beside it.
 * @throws EnvironmentError if a file is missing. FormatError if a file is not what it should be.
 */
export async function readTfjs(path: string): Promise<TfjsModel> {
  const parsed = modelSchema.safeParse(parseJson(await bytesOf(path), path))
  if (!parsed.success) throw damaged(path, z.prettifyError(parsed.error))
  const { modelTopology, weightsManifest } = parsed.data
  const constants = new Map<string, Tensor>()
  for (const { paths, weights } of weightsManifest) {
    const files = await Promise.all(paths.map((name) => bytesOf(join(dirname(path), name))))
    const bytes = Buffer.concat(files)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    let at = 0
    for (const { name, shape, dtype, quantization } of weights) {
      const size = sizeOf(shape)
      const width = quantization === undefined ? 4 : 2
      if (at + size * width > bytes.length) throw damaged(path, `${bytes.length} bytes of weights`)
      const numberAt = readers[quantization === undefined ? dtype : 'float16']
      const values = Array.from({ length: size }, (_, i) => numberAt(view, at + i * width))
      constants.set(
        name,
        dtype === 'int32'
          ? tensor('int32', shape, Int32Array.from(values))
          : tensor('float32', shape, Float32Array.from(values)),
      )
      at += size * width
    }
  }
  return { nodes: modelTopology.node, constants }
}

const readers = {
  float32: (view: DataView, at: number) => view.getFloat32(at, true),
  float16: (view: DataView, at: number) => halfToNumber(view.getUint16(at, true)),
  int32: (view: DataView, at: number) => view.getInt32(at, true),
} as const

async function bytesOf(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    throw new EnvironmentError(
      {
        what: 'the file of a foreign network cannot be read',
        where: path,
        got: messageOf(error),
        remedy: 'install the development dependencies: npm ci',
      },
      { cause: error },
    )
  }
}

function parseJson(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw damaged(path, messageOf(error))
  }
}

const damaged = (where: string, got: string) =>
  new FormatError({
    what: 'this is not a TF.js graph model',
    where,
    got,
    expected: 'a graph and its weights',
  })
