// Finds the strings of a starter: how its keypoints move if a head turns, a mouth opens or an arm rises. The studio makes a
// slider of each one. Synthetic clips say how far each movement is, and a linear map says what keypoints do then.
//
//   npm run build && node scripts/starters/strings.mjs NAME
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openClip, openModel, starters } from 'pantin'
import { RegressionFit } from '../../dist/evaluate/landmarks.js'

const clips = 40
const frames = 24

/** Mean weight of expressions. */
const mean = (expressions, ...names) =>
  names.reduce((sum, name) => sum + (expressions.get(name) ?? 0), 0) / names.length

/** The strings of heads: each has a name, and how far it is pulled in a frame. */
const ofHeads = {
  Turn: ({ pose }) => pose.yaw,
  Nod: ({ pose }) => pose.pitch,
  Tilt: ({ pose }) => pose.roll,
  Mouth: ({ expressions }) => mean(expressions, 'jawOpen'),
  Smile: ({ expressions }) => mean(expressions, 'mouthSmileLeft', 'mouthSmileRight'),
  Pout: ({ expressions }) => mean(expressions, 'mouthPucker', 'mouthFunnel'),
  Eyes: ({ expressions }) => -mean(expressions, 'eyeBlinkLeft', 'eyeBlinkRight'),
  Brows: ({ expressions }) =>
    mean(expressions, 'browInnerUp', 'browOuterUpLeft', 'browOuterUpRight') -
    mean(expressions, 'browDownLeft', 'browDownRight'),
  Sideways: ({ box }) => box.left + box.side / 2,
  Height: ({ box }) => -(box.top + box.side / 2),
  Distance: ({ box }) => box.side,
}

/** The strings of heads whose irises are keypoints. */
const ofEyes = {
  Look: ({ gaze }) => gaze[0],
  'Look up': ({ gaze }) => gaze[1],
}

/** The strings of puppets, from where its joints are. */
const ofPuppets = {
  'Left arm': ({ at }) => at('neck')[1] - at('leftHand')[1],
  'Right arm': ({ at }) => at('neck')[1] - at('rightHand')[1],
  'Left leg': ({ at }) => at('leftHip')[0] - at('leftFoot')[0],
  'Right leg': ({ at }) => at('rightFoot')[0] - at('rightHip')[0],
  Head: ({ at }) => at('head')[0] - at('neck')[0],
  Sideways: ({ at }) => at('neck')[0],
  Height: ({ at }) => -at('neck')[1],
}
const joints = [
  ...['head', 'neck', 'leftShoulder', 'rightShoulder', 'leftElbow', 'rightElbow', 'leftHand', 'rightHand'],
  ...['leftHip', 'rightHip', 'leftKnee', 'rightKnee', 'leftFoot', 'rightFoot'],
]

const [name] = process.argv.slice(2)
const starter = starters.find((one) => one.name === name)
if (starter === undefined) {
  throw new Error(`usage: strings.mjs NAME, with a NAME of ${starters.map((one) => one.name).join(', ')}`)
}

const model = await openModel(name, { device: 'cpu' })
const isPuppet = starter.subject === 'puppet'
const looks = model.config.denseMotion.eyes !== undefined
const strings = Object.entries(isPuppet ? ofPuppets : { ...ofHeads, ...(looks && ofEyes) })

/** The mean of rows of equal length. */
const meanOf = (list) => list[0].map((_, i) => list.reduce((sum, row) => sum + row[i], 0) / list.length)
const centred = (list) => {
  const middle = meanOf(list)
  return list.map((row) => row.map((x, i) => x - middle[i]))
}
/** Root mean square distance of points [K, 2] from their middle. */
function spread(points) {
  const axes = [0, 1].map((axis) => centred(points.filter((_, i) => i % 2 === axis).map((x) => [x])).flat())
  return Math.sqrt(meanOf(axes.flat().map((x) => [2 * x * x]))[0])
}
const product = ([a, b, c, d], [e, f, g, h]) => [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
const inverse = ([a, b, c, d]) => [d, -b, -c, a].map((x) => x / (a * d - b * c))
/** Each local map [K, 2, 2] as it is after the mean one. */
function afterMean(maps) {
  const middle = meanOf(maps)
  const at = (map, k) => map.slice(4 * k, 4 * k + 4)
  return maps.map((map) =>
    Array.from({ length: map.length / 4 }, (_, k) => product(at(map, k), inverse(at(middle, k)))).flat(),
  )
}

/** One row for each frame, less the mean of its clip: how far each string is pulled, and what keypoints do. */
const rows = []
for (let i = 0; i < clips; i++) {
  const spec = `${isPuppet ? 'puppet' : 'head'}:${100_101 + i},frames=${frames},size=${starter.size},rate=3`
  const clip = await openClip(spec)
  const own = []
  for await (const frame of clip.frames()) {
    const known = isPuppet
      ? { at: (joint) => frame.joints.subarray(2 * joints.indexOf(joint)) }
      : clip.labels(own.length)
    const { value, jacobian } = await model.detect(frame.data)
    own.push({ pulls: strings.map(([, pull]) => pull(known)), value: [...value], jacobian: [...jacobian] })
  }
  await clip.close()
  const size = spread(meanOf(own.map(({ value }) => value)))
  const pulls = centred(own.map((row) => row.pulls))
  const values = centred(own.map(({ value }) => value.map((x) => x / size)))
  const maps = centred(afterMean(own.map(({ jacobian }) => jacobian)))
  for (const [f, value] of values.entries()) rows.push({ pulls: pulls[f], moves: [...value, ...maps[f]] })
  process.stderr.write(`\r${i + 1} of ${clips} clips`)
}
await model.close()
process.stderr.write('\n')

const fit = new RegressionFit(strings.length, rows[0].moves.length)
for (const { pulls, moves } of rows) fit.add(pulls, moves)
const { linear } = fit.solve()
const axes = 2 * model.config.keypoints
/** A string is pulled fully at twice the deviation of the clips. */
const found = strings.map(([title], s) => {
  const full = 2 * Math.sqrt(rows.reduce((sum, { pulls }) => sum + pulls[s] ** 2, 0) / rows.length)
  const moves = linear(strings.map((_, i) => (i === s ? full : 0)))
  const rounded = [...moves].map((x) => Math.round(x * 1e4) / 1e4)
  return { name: title, value: rounded.slice(0, axes), jacobian: rounded.slice(axes) }
})
const explained = () => {
  let [rest, all] = [0, 0]
  for (const { pulls, moves } of rows) {
    const guess = linear(pulls)
    for (let i = 0; i < axes; i++) {
      rest += (moves[i] - guess[i]) ** 2
      all += moves[i] ** 2
    }
  }
  return 1 - rest / all
}
const path = fileURLToPath(new URL(`../../assets/starters/${name}/strings.json`, import.meta.url))
writeFileSync(path, `${JSON.stringify({ strings: found })}\n`)
process.stdout.write(
  `${path}: ${found.length} strings, which explain ${(100 * explained()).toFixed(0)}% of how points move\n`,
)
