// Makes a run whose dense motion sees fewer channels. Pictures are moved in two mixtures of red, green and blue
// (`denseMotion.colours`), the principal components of colours. Pictures that are moved by similar motions are much alike, so that a
// few mixtures of all channels hold what the layers that read them need (`denseMotion.mixed`): a kernel of low rank, for all these
// layers at once. The mixtures are those that lose least on made clips (reduced-rank regression; Izenman 1975). Nothing is trained.
//
//   npm run build && node scripts/starters/mix.mjs RUN OUT CHANNELS [CLIPS]
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EigenvalueDecomposition, Matrix, solve } from 'ml-matrix'
import { createSession, generatorGraph, openClip, openModel, readSafetensors, writeSafetensors } from 'pantin'

/** Of the map's pixels, along each axis, every n-th counts. */
const every = 2

const [run, out, channels, count = '60'] = process.argv.slice(2)
const [mixed, clips] = [channels, count].map(Number)
if (![mixed, clips].every((one) => Number.isInteger(one) && one > 0)) {
  throw new Error('usage: mix.mjs RUN OUT CHANNELS [CLIPS]')
}
const model = await openModel(run, { device: 'cpu' })
const { config, path } = model
const { denseMotion, keypoints, size } = config
if (denseMotion.mixed !== undefined) throw new Error(`${run} is mixed already`)
const kind = model.crop === 'motion' ? 'puppet' : 'head'

const weights = new Map()
const { tensors, metadata } = await readSafetensors(join(path, 'weights.safetensors'))
for (const [name, { shape, data }] of tensors)
  weights.set(name, tensor(Float32Array.from(data, Number), shape))

const graph = generatorGraph(config, { details: ['features'] })
const session = await createSession(graph, { device: 'cpu', weights })
/** Mean of x xᵀ over pixels x of what the network sees. */
const gram = await measured()
await session.close()
await model.close()

async function measured() {
  let sum
  let pixels = 0
  for (let i = 0; i < clips; i++) {
    const clip = await openClip(`${kind}:${22_001 + i},frames=4,size=${size},rate=2`)
    let first
    for await (const { data } of clip.frames()) {
      const { value, jacobian } = await model.detect(data)
      const [at, turned] = [tensor(value, [1, keypoints, 2]), tensor(jacobian, [1, keypoints, 2, 2])]
      if (first === undefined) {
        first = { source: planes(data), valueSource: at, jacobianSource: turned }
        continue
      }
      const { features } = await session.run({ ...first, valueDriving: at, jacobianDriving: turned })
      const [, count, height, width] = features.shape
      const columns = []
      for (let row = 0; row < height; row += every) {
        for (let column = 0; column < width; column += every) columns.push(row * width + column)
      }
      const x = new Matrix(count - denseMotion.blockExpansion, columns.length)
      for (let c = 0; c < x.rows; c++) {
        const plane = (c + denseMotion.blockExpansion) * height * width
        for (const [j, pixel] of columns.entries()) x.set(c, j, features.data[plane + pixel])
      }
      const squares = x.mmul(x.transpose())
      sum = sum === undefined ? squares : sum.add(squares)
      pixels += columns.length
    }
    await clip.close()
    process.stderr.write(`\r${i + 1} of ${clips} clips`)
  }
  process.stderr.write('\n')
  return sum.div(pixels)
}

/** RGB [size, size, 3] as [1, 3, size, size] in [0, 1]. */
function planes(rgb) {
  const area = size * size
  return tensor(
    Float32Array.from({ length: 3 * area }, (_, i) => rgb[3 * (i % area) + Math.floor(i / area)] / 255),
    [1, 3, size, size],
  )
}

function tensor(data, shape) {
  return { dtype: 'float32', shape: [...shape], data }
}

const network = 'generator.dense_motion_network'
/** Convolutions that read the channels, after so many others. */
const readers = [
  [`${network}.hourglass.encoder.down_blocks.0.conv.weight`, 0],
  ...[`${network}.mask`, `${network}.occlusion`, `${network}.residual.conv`, 'generator.guide.conv'].map(
    (name) => [`${name}.weight`, denseMotion.blockExpansion],
  ),
].filter(([name]) => weights.has(name))

/** What each tap of each result reads of a pixel: rows of all readers, those of a reader divided by its deviation. */
const blocks = readers.map(([name, lead]) => {
  const { shape, data } = weights.get(name)
  const [results, inputs, height, width] = shape
  const taps = height * width
  const rows = new Matrix(results * taps, inputs - lead)
  for (let r = 0; r < results; r++) {
    for (let c = lead; c < inputs; c++) {
      for (let t = 0; t < taps; t++) rows.set(r * taps + t, c - lead, data[(r * inputs + c) * taps + t])
    }
  }
  const scale = Math.sqrt(rows.mmul(gram).mmul(rows.transpose()).trace())
  return { name, lead, taps, shape, scale, rows: rows.div(scale) }
})
const all = new Matrix(blocks.flatMap(({ rows }) => rows.to2DArray()))

/** The most important directions of a symmetric matrix, as [value, column] of its eigenvectors. */
function mostOf(matrix, count) {
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(matrix, {
    assumeSymmetric: true,
  })
  const order = realEigenvalues.map((value, i) => [value, i]).sort(([a], [b]) => b - a)
  // Directions in which nothing is seen have no scale of their own.
  const least = 1e-12 * order[0][0]
  return order.slice(0, count).map(([value, i]) => [Math.max(value, least), eigenvectorMatrix.getColumn(i)])
}

/** Channels of a motion: its Gaussian, then red, green and blue. */
const perMotion = 4
const motions = gram.rows / perMotion
const ofColours = Matrix.zeros(3, 3)
for (let m = 0; m < motions; m++) {
  const first = m * perMotion + 1
  ofColours.add(gram.subMatrix(first, first + 2, first, first + 2))
}
const colours = mostOf(ofColours, 2).map(([, direction]) => direction)
/** From all channels to those with mixed colours. */
const fewer = Matrix.zeros(motions * (1 + colours.length), gram.rows)
for (let m = 0; m < motions; m++) {
  const first = m * (1 + colours.length)
  fewer.set(first, m * perMotion, 1)
  colours.forEach((parts, i) => {
    parts.forEach((part, c) => {
      fewer.set(first + 1 + i, m * perMotion + 1 + c, part)
    })
  })
}
/** Best guess of what the readers make of all channels, from those with mixed colours. */
const seen = fewer.mmul(gram).mmul(fewer.transpose())
const small = (1e-7 * seen.trace()) / seen.rows
const guess = solve(
  Matrix.add(seen, Matrix.eye(seen.rows).mul(small)),
  fewer.mmul(gram).mmul(all.transpose()),
).transpose()
const kept = mostOf(guess.mmul(seen).mmul(guess.transpose()), mixed)
const total = all.mmul(gram).mmul(all.transpose()).trace()
const lost = 1 - kept.reduce((sum, [value]) => sum + value, 0) / total
process.stdout.write(
  `${gram.rows} channels as ${mixed}: ${(100 * Math.sqrt(Math.max(0, lost))).toFixed(2)}% is lost\n`,
)

/** The mixtures have a mean square of 1, so that half precision serves them. */
const mixture = Float32Array.from(
  kept.flatMap(([value, direction]) =>
    Matrix.rowVector(direction).mmul(guess).div(Math.sqrt(value)).to1DArray(),
  ),
)
weights.set(`${network}.mix.weight`, tensor(mixture, [mixed, seen.rows, 1, 1]))
weights.set(`${network}.colours.weight`, tensor(Float32Array.from(colours.flat()), [colours.length, 3, 1, 1]))

let first = 0
for (const { name, lead, taps, shape, scale, rows } of blocks) {
  const { data } = weights.get(name)
  const [results, inputs, ...kernel] = shape
  const width = lead + mixed
  const made = new Float32Array(results * width * taps)
  for (let r = 0; r < results; r++) {
    for (let c = 0; c < width; c++) {
      for (let t = 0; t < taps; t++) {
        const [value, direction] = kept[c - lead] ?? []
        made[(r * width + c) * taps + t] =
          c < lead
            ? data[(r * inputs + c) * taps + t]
            : scale * Math.sqrt(value) * direction[first + r * taps + t]
      }
    }
  }
  first += rows.rows
  weights.set(name, tensor(made, [results, width, ...kernel]))
}

const written = JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))
Object.assign(written.model.denseMotion, { mixed, colours: colours.length })
await mkdir(out, { recursive: true })
await writeFile(join(out, 'config.json'), `${JSON.stringify(written, null, 2)}\n`)
await writeSafetensors(join(out, 'weights.safetensors'), weights, metadata)
