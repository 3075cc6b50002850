import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toBinary } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { floats } from '../../src/graph/tensor.ts'
import { assertSelfContained, readOnnxFile } from '../../src/model/onnx-file.ts'
import { hashDetector } from '../../src/model/open-model.ts'
import { type ModelProto, ModelProtoSchema, type TensorProto } from '../../src/onnx/generated/onnx_pb.ts'
import { fromOnnx } from '../../src/onnx/import.ts'
import { FormatError } from '../../src/util/errors.ts'
import { model, node } from '../onnx/models.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pantin-onnx-'))
  await mkdir(join(folder, 'm'))
  await writeFile(join(folder, 'outside.data'), Buffer.alloc(64))
  await symlink(join(folder, 'outside.data'), join(folder, 'm/link.data'))
  await writeFile(
    join(folder, 'm/w.data'),
    Buffer.from(Float32Array.from({ length: 10 }, (_, i) => i).buffer),
  )
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const made = () =>
  model({
    inputs: { x: [1, 4] },
    tensors: { w: floats([4, 5, 6, 7], [4]) },
    nodes: [
      node('Constant', [], ['c'], { value: floats([1, 2, 3, 4], [4]) }),
      node('Add', ['x', 'w'], ['s']),
      node('Mul', ['s', 'c'], ['y']),
    ],
  })
const initializer = ({ graph }: ModelProto): TensorProto => graph!.initializer[0]!
const constant = ({ graph }: ModelProto): TensorProto => graph!.node[0]!.attribute[0]!.t!

function outside(tensor: TensorProto, entries: Readonly<Record<string, string>>): void {
  tensor.rawData = new Uint8Array()
  tensor.dataLocation = 1
  tensor.externalData = Object.entries(entries).map(([key, value]) => ({
    $typeName: 'onnx.StringStringEntryProto',
    key,
    value,
  }))
}

async function read(proto: ModelProto): Promise<Uint8Array> {
  const path = join(folder, 'm/model.onnx')
  await writeFile(path, toBinary(ModelProtoSchema, proto))
  return readOnnxFile(path)
}

it('puts weights that lie beside a model into it, also those of attributes', async () => {
  const proto = made()
  outside(initializer(proto), { location: 'w.data', offset: '16', length: '16' })
  outside(constant(proto), { location: 'w.data', offset: '4', length: '16', checksum: 'x' })
  const bytes = await read(proto)
  assertSelfContained(bytes)
  expect(fromOnnx(bytes).weights.get('w')).toEqual(floats([4, 5, 6, 7], [4]))
  expect(Buffer.from(bytes).includes(Buffer.from(Float32Array.of(1, 2, 3, 4).buffer))).toBe(true)
})

it('leaves the bytes of other models as they are, and reads to the end of a file without a length', async () => {
  const plain = toBinary(ModelProtoSchema, made())
  expect(Buffer.from(await read(made())).equals(Buffer.from(plain))).toBe(true)
  const proto = made()
  outside(initializer(proto), { location: 'w.data', offset: '24' })
  expect(fromOnnx(await read(proto)).weights.get('w')).toEqual(floats([6, 7, 8, 9], [4]))
})

it('has another hash with other weights in the file beside it', async () => {
  const proto = made()
  outside(initializer(proto), { location: 'v.data' })
  const [path, data] = ['m/hashed.onnx', 'm/v.data'].map((name) => join(folder, name)) as [string, string]
  await writeFile(path, toBinary(ModelProtoSchema, proto))
  const hashWith = async (weight: number) => {
    await writeFile(data, Buffer.from(Float32Array.of(1, 2, 3, weight).buffer))
    return hashDetector(path)
  }
  const first = await hashWith(4)
  expect(await hashWith(5)).not.toBe(first)
  expect(await hashWith(4)).toBe(first)
  await rm(data)
  await expect(hashDetector(path)).rejects.toThrow(/v\.data.*no such file/)
})

it.each([
  ['a folder above', { location: '../outside.data' }, /plain name/],
  ['a folder below', { location: 'a/w.data' }, /plain name/],
  ['this folder', { location: './w.data' }, /plain name/],
  ['an absolute path', { location: '/etc/passwd' }, /plain name/],
  ['a path of Windows', { location: 'C:w.data' }, /plain name/],
  ['a backslash', { location: '..\\outside.data' }, /plain name/],
  ['two dots', { location: '..' }, /plain name/],
  ['no name', { offset: '0' }, /plain name/],
  ['a link to another folder', { location: 'link.data' }, /link to another folder/],
  ['a missing file', { location: 'none.data' }, /no file none.data in this folder/],
  ['an end beyond the file', { location: 'w.data', offset: '30', length: '16' }, /more data than the file/],
  ['an offset beyond the file', { location: 'w.data', offset: '41' }, /more data than the file/],
  ['an offset that is no number', { location: 'w.data', offset: '1e1' }, /no number of bytes/],
  ['a length below zero', { location: 'w.data', length: '-4' }, /no number of bytes/],
])('refuses %s, and names the model', async (_what, entries, message) => {
  for (const which of [initializer, constant]) {
    const proto = made()
    outside(which(proto), entries)
    const refused = read(proto)
    await expect(refused).rejects.toBeInstanceOf(FormatError)
    await expect(refused).rejects.toThrow(message)
    await expect(refused).rejects.toThrow('model.onnx')
  }
})

it('refuses a file that is asked for again and again', async () => {
  const proto = made()
  const graph = proto.graph!
  graph.initializer = Array.from({ length: 3 }, (_, i) => ({ ...initializer(made()), name: `w${i}` }))
  for (const tensor of graph.initializer) outside(tensor, { location: 'w.data' })
  await expect(read(proto)).rejects.toThrow(/more data than the file/)
})

it('refuses weights elsewhere in models that are given as bytes, and says how to make one file', () => {
  for (const which of [initializer, constant]) {
    const proto = made()
    outside(which(proto), { location: 'w.data' })
    const bytes = toBinary(ModelProtoSchema, proto)
    for (const use of [assertSelfContained, fromOnnx]) {
      expect(() => use(bytes)).toThrow(/lies in another file.*external_data=False/s)
    }
  }
})
