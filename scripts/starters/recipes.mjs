// How the starters are made: for each, its model, and the stages of its training, from synthetic clips alone.

/**
 * ficelle for pictures of 128x128: it reads squares of 4x4 pixels instead of 2x2, so that it sees lids and lips twice as
 * finely as at 64x64 for about the same work.
 */
const design = {
  stem: { kind: 'space-to-depth', side: 4, kernel: 3, width: 48 },
  stages: [
    { stride: 2, width: 48, block: 'inverted-residual', depth: 1, dilations: [] },
    { stride: 2, width: 64, block: 'inverted-residual', depth: 2, dilations: [] },
    { stride: 2, width: 96, block: 'inverted-residual', depth: 2, dilations: [] },
  ],
  decoder: { widths: [64, 48], depth: 1, upsampling: 'nearest', skips: 'sum' },
}

/** Pairs of keypoints that are the lids of an eye. */
export const lids = [
  [0, 1],
  [2, 3],
]

/** Keypoints of the eyes. */
export const eyes = [
  { iris: 29, corners: [18, 19], lids: lids[0] },
  { iris: 30, corners: [20, 21], lids: lids[1] },
]

/** Keypoints of the mouth. */
const lips = { corners: [8, 9], inner: [10, 11], outer: [12, 13] }

/**
 * The model of all starters. Detector and dense motion see 128x128 and 64x64 pixels at every size, so that what they have
 * learned at one size holds at another.
 *
 * @param {number} size pixels a side: 128 or 256
 * @param {object} [parts]
 * @param {boolean} [parts.face] whether the first keypoints are those of lids, brows and lips, and the decoder sees how they move
 * @param {boolean} [parts.residual] whether each pixel has a motion of its own besides those of keypoints
 * @param {boolean} [parts.head] whether more keypoints turn with the head, keypoints' motions prevail where they are, eyes close
 *   between lids, and the source is read by cubics
 * @param {boolean} [parts.mouth] whether lips part along a mouth, and what it newly shows is painted; tied keypoints turn as their
 *   places do
 * @param {boolean} [parts.gaze] whether irises are keypoints, too, and eyes look about
 * @param {number} [parts.mixed] channels that dense motion sees, of pictures in two colours (default: all)
 * @param {number} [parts.blocks] residual blocks of the decoder on its coarsest map (default: 3)
 */
const model = (
  size,
  { face = false, residual = false, head = false, mouth = false, gaze = false, mixed, blocks = 3 } = {},
) => ({
  ...{ net: 'ficelle', size, keypoints: gaze ? 35 : head ? 33 : 20, jacobian: true, alignCorners: true },
  detector: {
    ...{ temperature: 0.5, scaleFactor: 128 / size, filter: 'box', dilations: 'clipped', design },
    head: { kind: 'light', channels: 32, stride: 4, skip: 'all' },
  },
  denseMotion: {
    ...{ blockExpansion: 16, maxFeatures: 64, blocks: 3, kernel: 3, occlusion: true, prior: true },
    ...{ scaleFactor: 64 / size, kpVariance: 0.01, ...(face && { localKeypoints: head ? 18 : 16 }) },
    ...(head && { peaked: true, openings: lids }),
    ...(mouth && { mouth: lips, fittedKeypoints: 29 }),
    ...(gaze && { eyes }),
    ...(residual && { residual: true }),
    ...(mixed && { mixed, colours: 2 }),
  },
  generator: {
    ...{ kind: 'light', blockExpansion: 16, maxFeatures: 64, bottleneckBlocks: blocks, kernel: 3 },
    ...{ downBlocks: Math.log2(size / 64), skips: 'coarse', atRest: 'source', ...(face && { guided: true }) },
    ...(head && { sampling: 'cubic' }),
  },
})

/** What a starter for faces ends with. */
const everything = { face: true, residual: true, head: true, mouth: true, gaze: true, mixed: 32 }

const series = (name, first, last, options) =>
  Array.from({ length: last - first + 1 }, (_, i) => `${name}:${first + i},${options}`)
/** Every fourth head is small and at a side, as faces in real clips may be. */
const heads = (first, last, frames, size) => {
  const options = `frames=${frames},size=${size},rate=2`
  const far = Math.floor((last - first + 1) / 4)
  return [
    ...series('head', first, last - far, options),
    ...series('head', last - far + 1, last, `${options},framing=far`),
  ]
}
const puppets = (first, last, frames, size) =>
  series('puppet', first, last, `frames=${frames},size=${size},rate=4`)

const common = { grow: 'none', holdout: 0, threads: 1, seed: 1, checkpointSeconds: 60, previewSeconds: 600 }
const colour = { augment: { flip: false, colour: 0.2 } }
/** Any light: keypoints must not hang on the colour of skin. */
const light = { augment: { flip: false, colour: 0.4, tint: 0.4 } }
/** True motion teaches first; what pictures look like is learned afterwards, at full size. */
const motion = { ...common, ...colour, tie: 'face', batch: 6, steps: 4000 }
/** Lids and lips are small, and most of an expression. */
const expression = { openings: 40, landmarks: 40 }
const picture = { ...common, ...colour, tie: 'face', batch: 3, steps: 2000, learningRate: 1e-3 }
/** Equivariance has been learned, and a third of the detector's work is saved. */
const learned = { equivarianceValue: 0, equivarianceJacobian: 0 }
/** The detector alone learns where points are, and keeps what no point says: a step costs a fifth. */
const pointsAlone = {
  ...{ reconstruction: 0, perceptual: 0, flow: 0, occlusion: 0, nearPoints: 0, ...learned },
  ...{ landmarks: 40, openings: 60, kept: 4 },
}
/** Near landmarks, the picture alone. */
const inMouth = { ...pointsAlone, landmarks: 0, openings: 0, kept: 0, nearPoints: 40 }
/** At full size the picture follows the expression that the keypoints have. */
const follows = { ...expression, ...learned, flow: 30, nearPoints: 20 }
/** Where keypoints and motion rest: pictures alone, sharp and near landmarks. */
const painted = {
  ...{ landmarks: 0, openings: 0, flow: 0, occlusion: 0, ...learned },
  ...{ nearPoints: 10, adversarial: 0.5, featureMatching: 5 },
}
/** The discriminator's losses. */
const sharp = { ...expression, ...learned, adversarial: 0.5, featureMatching: 5, nearPoints: 10 }

/** A puppet's joints, and the motion between them, until steps are small. */
const longTraining = {
  ...{ ...motion, tie: 'joints', crop: 'motion', learningRate: 7e-4 },
  ...{ losses: { landmarks: 20, flow: 40, equivarianceJacobian: 0 }, model: model(128) },
}

/**
 * The stages of each starter, in order. `from` names the stage, of any starter, whose weights a stage begins with. The
 * last stage of a starter is what is packed. Seeds from 100001 upwards are never trained on.
 */
export const recipes = {
  'face-small': [
    {
      name: 'motion',
      clips: heads(1, 1000, 6, 128),
      options: { ...motion, losses: expression, model: model(128, { face: true }) },
    },
    {
      // Detector and dense motion see what those of `face` see, and are the same. The painting alone is learned at 128x128. It was
      // done before `face` was mixed, and mixed afterwards.
      ...{ name: 'likeness', from: 'face/gaze', clips: heads(20001, 20400, 6, 128) },
      options: {
        ...{ ...picture, ...light, batch: 6, steps: 3000, learningRate: 2e-3, rest: 0.9999 },
        ...{ tie: 'gaze', losses: painted },
        model: model(128, everything),
      },
      part: '0,0,1',
    },
  ],
  face: [
    {
      ...{ name: 'expression', from: 'face-small/motion', clips: heads(2001, 2700, 4, 256) },
      options: { ...picture, batch: 4, steps: 4000, losses: follows, model: model(256, { face: true }) },
    },
    {
      ...{ name: 'picture', from: 'face/expression', clips: heads(2001, 2700, 4, 256) },
      options: {
        ...picture,
        steps: 1000,
        learningRate: 5e-4,
        losses: sharp,
        model: model(256, { face: true }),
      },
    },
    {
      ...{ name: 'light', from: 'face/picture', clips: heads(7001, 7500, 4, 256) },
      options: { ...picture, ...light, steps: 1500, losses: follows, model: model(256, { face: true }) },
      // The mean of this stage and the one before goes on: see mean.mjs.
      part: 0.6,
    },
    {
      // Mostly small pictures: it is motion that is learned. It was done in two runs, of 1,663 and 5,241 steps.
      ...{ name: 'more', from: 'face/light', clips: heads(10001, 10600, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 6, grow: '128:0.9', steps: 6904, learningRate: 1.5e-3 },
        ...{ losses: { ...follows, flow: 60 }, model: model(256, { face: true, residual: true }) },
      },
      part: 0.6,
    },
    {
      // It begins with more keypoints than the stage before ends with: see more-keypoints.mjs.
      ...{ name: 'head', from: 'face/more', widened: 'head', clips: heads(12001, 12560, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 6, grow: '128:0.9', steps: 3279, learningRate: 1.5e-3 },
        ...{ tie: 'head', losses: { ...follows, flow: 60, openings: 60 } },
        model: model(256, { face: true, residual: true, head: true }),
      },
      // On strangers' faces the detector is better for it, and dense motion is not.
      part: '0.7,0.2,0.3',
    },
    {
      ...{ name: 'points', from: 'face/head', clips: heads(14001, 14700, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 8, steps: 6969, learningRate: 1.5e-3 },
        ...{ tie: 'head', losses: pointsAlone },
        model: model(256, { face: true, residual: true, head: true }),
      },
      // On heads, points are twice as near as before. On strangers' faces, brows and mouths follow better, and lids do not.
      part: '0.3,0,0',
    },
    {
      // It was done in two runs. The first had 2,090 steps on the heads of the stage before, with an earlier form of `vary`, before
      // heads opened their mouths as they do now. The second had 3,164 steps on these heads. `kept` held each to its own beginning.
      ...{ name: 'varied', from: 'face/points', clips: heads(16001, 16400, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 8, steps: 5254, learningRate: 1.5e-3 },
        ...{ tie: 'head', losses: pointsAlone, augment: { ...light.augment, vary: 1 } },
        model: model(256, { face: true, residual: true, head: true }),
      },
      // On strangers, points are 0.3 pixels nearer than before. Four parts were compared on the clips of `bench faces`.
      part: '0.45,0,0',
    },
    {
      // Detector and dense motion rest, and the mouth alone is new. It was done with the detector of the stage before last, and before
      // lips bowed.
      ...{ name: 'mouth', from: 'face/varied', clips: heads(16001, 16400, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 4, steps: 1325, learningRate: 3e-3, rest: 0.9999 },
        ...{ tie: 'head', losses: inMouth },
        model: model(256, { face: true, residual: true, head: true, mouth: true }),
      },
      part: '0,0,0',
    },
    {
      ...{ name: 'gaze', from: 'face/mouth', widened: 'gaze', clips: heads(18001, 18500, 6, 256) },
      options: {
        ...{ ...picture, ...light, batch: 8, steps: 7081, learningRate: 1.5e-3 },
        ...{ tie: 'gaze', losses: pointsAlone, augment: { ...light.augment, vary: 1 } },
        model: model(256, { face: true, residual: true, head: true, mouth: true, gaze: true }),
      },
      // With more of it, mouths would follow better, and hair worse.
      ...{ part: '0.3,0,0', fresh: '29-30', painted: true, mixed: 32 },
    },
    {
      // The decoder alone learns, and has one of its three residual blocks: on strangers' faces the others did nearly nothing.
      ...{ name: 'painting', from: 'face/gaze', clips: heads(24001, 24300, 4, 256) },
      options: {
        ...{ ...picture, ...light, steps: 800, learningRate: 5e-4, rest: 0.9999 },
        ...{ tie: 'gaze', losses: painted },
        model: model(256, { ...everything, blocks: 1 }),
      },
      // With all of it, results would be less sharp.
      part: '0,0,0.5',
    },
  ],
  puppet: [
    {
      ...{ name: 'motion', clips: puppets(1, 600, 8, 128) },
      options: { ...motion, tie: 'joints', model: model(128) },
    },
    {
      // More of the same, on other puppets, until steps are small. It was to have 2,300 steps, and was stopped before.
      ...{ name: 'longer', from: 'puppet/motion', clips: puppets(1001, 1800, 6, 128) },
      options: { ...longTraining, steps: 2020 },
    },
    {
      // The same again, with twice as many puppets.
      ...{ name: 'longest', from: 'puppet/longer', clips: puppets(1001, 2200, 6, 128) },
      options: longTraining,
    },
    {
      // ... and in another order.
      ...{ name: 'again', from: 'puppet/longest', clips: puppets(1001, 2200, 6, 128) },
      options: { ...longTraining, seed: 3 },
    },
  ],
}
