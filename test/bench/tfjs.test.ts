// Foreign networks: a small TF.js graph is written to disk, translated, run, and compared with sums made by hand.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { faceModels, openFaceFinder } from '../../bench/src/face-mesh.ts'
import { tfjsGraph } from '../../bench/src/tfjs-graph.ts'
import { readTfjs } from '../../bench/src/tfjs-model.ts'
import { floats } from '../../src/graph/tensor.ts'
import { blankFrame } from '../../src/media/clip.ts'
import { readPicture } from '../../src/media/picture.ts'
import { evaluate } from '../../src/runtime/node.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pantin-tfjs-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const base64 = (text: string) => Buffer.from(text).toString('base64')
const quadruple = (h: number, w: number) => ({ list: { i: ['1', String(h), String(w), '1'] } })
const tensors = [
  { name: 'kernel', shape: [3, 3, 2, 1], values: Array.from({ length: 18 }, (_, i) => i - 8) },
  { name: 'bias', shape: [1], values: [0.5] },
  { name: 'slope', shape: [1, 1, 1], values: [0.25] },
  { name: 'amounts', shape: [4, 2], values: [0, 0, 0, 1, 2, 0, 0, 1] },
  { name: 'size', shape: [2], values: [1, -1] },
]

/** Convolution with stride 2 and `SAME`, bias, PReLU; then zeros below, at the left, and a channel; then a vector. */
function writeModel(): string {
  const whole = ({ name }: { name: string }) => name === 'amounts' || name === 'size'
  const path = join(folder, 'small.json')
  const bytes = tensors.map((one) =>
    whole(one) ? Buffer.from(Int32Array.from(one.values).buffer) : Buffer.from(halves(one.values).buffer),
  )
  writeFileSync(join(folder, 'small.bin'), Buffer.concat(bytes))
  const node = [
    {
      name: 'x',
      op: 'Placeholder',
      attr: { shape: { shape: { dim: ['-1', '4', '4', '2'].map((size) => ({ size })) } } },
    },
    ...tensors.map(({ name }) => ({ name, op: 'Const' })),
    {
      name: 'conv',
      op: '_FusedConv2D',
      input: ['x', 'kernel', 'bias', 'slope'],
      attr: {
        strides: quadruple(2, 2),
        dilations: quadruple(1, 1),
        padding: { s: base64('SAME') },
        fused_ops: { list: { s: ['BiasAdd', 'Prelu'].map(base64) } },
      },
    },
    { name: 'padded', op: 'Pad', input: ['conv', 'amounts'] },
    { name: 'flat', op: 'Reshape', input: ['padded', 'size'] },
  ]
  const weights = tensors.map((one) => ({
    name: one.name,
    shape: one.shape,
    ...(whole(one)
      ? { dtype: 'int32' }
      : { dtype: 'float32', quantization: { dtype: 'float16', original_dtype: 'float32' } }),
  }))
  const model = {
    format: 'graph-model',
    modelTopology: { node },
    weightsManifest: [{ paths: ['small.bin'], weights }],
  }
  writeFileSync(path, JSON.stringify(model))
  return path
}

/** Numbers as binary16, for those that are exact in it and not 0 in their exponent. */
const halves = (values: readonly number[]) =>
  Uint16Array.from(values, (v) => {
    if (v === 0) return 0
    const exponent = Math.floor(Math.log2(Math.abs(v)))
    return (v < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | ((Math.abs(v) / 2 ** exponent - 1) * 1024)
  })

it('a convolution, its PReLU and padding give what the sums by hand give', async () => {
  const graph = tfjsGraph(await readTfjs(writeModel()))
  const at = (y: number, x: number, c: number) => Math.sin(1 + 5 * y + 3 * x + 2 * c)
  const picture = floats(
    Array.from({ length: 32 }, (_, i) => at(Math.floor(i / 4) % 4, i % 4, Math.floor(i / 16))),
    [1, 2, 4, 4],
  )
  // A side of 4 with stride 2 and a kernel of 3 lacks one row, which `SAME` adds at the end.
  const convolved = (row: number, column: number): number => {
    let sum = 0.5
    for (let ky = 0; ky < 3; ky++) {
      for (let kx = 0; kx < 3; kx++) {
        for (let c = 0; c < 2; c++) {
          const [y, x] = [2 * row + ky, 2 * column + kx]
          if (y < 4 && x < 4) sum += at(y, x, c) * (6 * ky + 2 * kx + c - 8)
        }
      }
    }
    return sum > 0 ? sum : 0.25 * sum
  }
  const expected = Array.from({ length: 3 * 4 * 2 }, (_, i) => {
    const [row, column, channel] = [Math.floor(i / 8), Math.floor(i / 2) % 4, i % 2]
    return channel === 0 && row < 2 && column >= 2 ? convolved(row, column - 2) : 0
  })
  const { flat } = await evaluate(graph, { picture })
  expect(flat!.shape).toEqual([1, 24])
  expected.forEach((value, i) => {
    expect(Number(flat!.data[i])).toBeCloseTo(value, 4)
  })
  expect(expected.some((value) => value < 0)).toBe(true)
})

it('a file that is no graph model is refused', async () => {
  const path = join(folder, 'other.json')
  writeFileSync(path, '{"format": "layers-model"}')
  await expect(readTfjs(path)).rejects.toThrow('this is not a TF.js graph model')
  await expect(readTfjs(join(folder, 'none.json'))).rejects.toThrow('npm ci')
})

const portrait = new URL('../../../shared/data/portraits/s0.jpg', import.meta.url)
const there = existsSync(portrait) && existsSync(faceModels)

it.skipIf(!there)(
  'a painted face is found with its eyes above its mouth, and an empty picture has none',
  async () => {
    const finder = await openFaceFinder({ threads: 1 })
    try {
      const picture = await readPicture(portrait.pathname)
      const { points, presence, square } = await finder.mesh(picture)
      const place = (i: number) => [points[3 * i]!, points[3 * i + 1]!] as const
      expect(presence).toBeGreaterThan(0.9)
      const [right, left, mouth] = [place(33), place(263), place(13)]
      const between = Math.hypot(left[0] - right[0], left[1] - right[1])
      expect(between / square.side).toBeGreaterThan(0.25)
      expect(between / square.side).toBeLessThan(0.5)
      expect((mouth[1] - (left[1] + right[1]) / 2) / between).toBeGreaterThan(0.6)
      // Pupils as a person sees them: (298, 114) and (338, 114).
      expect((right[0] + place(133)[0]) / 2).toBeCloseTo(298, -1)
      expect((left[0] + place(362)[0]) / 2).toBeCloseTo(338, -1)
      expect(await finder.box(blankFrame(300, 200, [90, 90, 90]))).toBeUndefined()
    } finally {
      await finder.close()
    }
  },
)
