// Networks that judge pictures in training. The discriminator tells true frames from predictions, patch by patch (its losses:
// Mao et al. 2017, least-squares GAN; feature matching of Wang et al. 2018; Siarohin et al. 2019, code). A perceptual loss
// compares pictures by the features of a network that is imported from ONNX.
import type { Graph, Value } from '../../graph/graph.ts'
import {
  abs,
  add,
  addAll,
  averagePool,
  concat,
  div,
  leakyRelu,
  mul,
  reduceMean,
  reshape,
  sliceAxis,
  sqrt,
  square,
  sub,
} from '../../graph/ops/index.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { conv2d } from '../../layers/conv2d.ts'
import type { Scope } from '../../layers/scope.ts'
import { fromOnnx, inputNames } from '../../onnx/import.ts'
import { FormatError, PantinError } from '../../util/errors.ts'

/** Parameters of the discriminator begin with this. They are trained by its own loss, and are not part of the model. */
export const discriminatorPrefix = 'discriminator.'

/** Channels after the first halving; each further halving doubles them. */
const firstChannels = 16
const halvings = 4
const mostChannels = 96

/** What the discriminator says of true frames and of predictions. */
export interface Judgement {
  /** 1 for true, 0 for made, for each patch, [N, 1, h, w]. */
  readonly real: Value
  /** The same of predictions. */
  readonly made: Value
  /** Maps of the discriminator for true frames, from fine to coarse. */
  readonly realMaps: readonly Value[]
  /** The same for predictions. */
  readonly madeMaps: readonly Value[]
}

/**
 * Shows true frames and predictions to the discriminator. The published one pools after convolutions at full size. This
 * one halves by strides and is narrower: with it, a step of the light model at 256x256 on a CPU takes 1.6 times as long.
 *
 * @param real [N, 3, H, W] in [0, 1], H and W multiples of 16
 * @param made [N, 3, H, W] in [0, 1]
 */
export function judge(scope: Scope, real: Value, made: Value): Judgement {
  const n = real.shape[0]!
  const maps: Value[] = []
  let map = concat([real, made], 0)
  for (let i = 0; i < halvings; i++) {
    const inner = scope.child(`down_blocks.${i}`)
    const channels = Math.min(mostChannels, firstChannels * 2 ** i)
    const halved = conv2d(inner.child('conv'), map, channels, { kernel: 3, stride: 2 })
    map = leakyRelu(i === 0 ? halved : instanceNormalised(halved), 0.2)
    maps.push(map)
  }
  const verdict = conv2d(scope.child('conv'), map, 1, { kernel: 1 })
  const part = (value: Value, which: 0 | 1) => sliceAxis(value, 0, which * n, (which + 1) * n)
  return {
    real: part(verdict, 0),
    made: part(verdict, 1),
    realMaps: maps.map((value) => part(value, 0)),
    madeMaps: maps.map((value) => part(value, 1)),
  }
}

/** Each map of each picture with mean 0 and deviation 1 (Ulyanov et al. 2016). */
function instanceNormalised(x: Value): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number]
  const flat = reshape(x, [n, c, h * w])
  const centred = sub(flat, reshape(reduceMean(flat, [2]), [n, c, 1]))
  const variance = reshape(reduceMean(square(centred), [2]), [n, c, 1])
  return reshape(div(centred, sqrt(add(variance, 1e-5))), x.shape)
}

/** What the discriminator minimises: (1 - D(true))² + D(made)². */
export const discriminatorLoss = ({ real, made }: Judgement): Value =>
  add(reduceMean(square(sub(1, real))), reduceMean(square(made)))

/** What the model minimises: (1 - D(made))². */
export const adversarialLoss = ({ made }: Judgement): Value => reduceMean(square(sub(1, made)))

/** Mean absolute difference of the discriminator's maps of true frames and predictions. */
export const featureMatchingLoss = ({ realMaps, madeMaps }: Judgement): Value =>
  mul(addAll(realMaps.map((map, i) => reduceMean(abs(sub(map, madeMaps[i]!))))), 1 / realMaps.length)

/** A network whose features tell how alike two pictures are, and the contents of its parameters. */
export interface PerceptualLoss {
  /** Builds the loss of two pictures [N, 3, H, W] in [0, 1]: a scalar. */
  build(graph: Graph, prediction: Value, target: Value): Value
  /** Filled while the loss is built. */
  readonly weights: Map<string, Tensor>
}

/**
 * A perceptual loss (Johnson et al. 2016; Siarohin et al. 2019, section 3.3, take VGG-19's): the mean
 * absolute difference of every output of a network, over a pyramid of halved pictures. The network is
 * imported into the training graph and differentiated through; its own weights stay as they are.
 *
 * @param bytes an ONNX model with one input [N, 3, H, W], which it normalises itself, of any size; its
 *   outputs are the features
 * @param where the file's name, for messages
 * @param scales of the pyramid, as many as the features' strides leave room for
 */
export function perceptualLoss(bytes: Uint8Array, where: string, scales: number): PerceptualLoss {
  const [name, ...others] = located(where, () => inputNames(bytes))
  if (name === undefined || others.length > 0) {
    throw new FormatError({
      what: 'a perceptual network has one input, a batch of pictures',
      where,
      got: [name, ...others].join(', ') || 'no input',
      expected: 'one input float32 [N, 3, H, W]',
    })
  }
  const weights = new Map<string, Tensor>()
  const features = (graph: Graph, image: Value): Value[] => {
    const model = located(where, () =>
      fromOnnx(bytes, { target: graph, prefix: 'perceptual', inputs: { [name]: image } }),
    )
    for (const [key, value] of model.weights) weights.set(key, value)
    return [...model.outputs.values()]
  }
  const build = (graph: Graph, prediction: Value, target: Value): Value => {
    const terms: Value[] = []
    let [made, wanted] = [prediction, target]
    for (let scale = 0; scale < scales; scale++) {
      if (scale > 0) {
        made = averagePool(made, [2, 2])
        wanted = averagePool(wanted, [2, 2])
      }
      const expected = features(graph, wanted)
      features(graph, made).forEach((map, i) => {
        terms.push(reduceMean(abs(sub(map, expected[i]!))))
      })
    }
    return mul(addAll(terms), 1 / scales)
  }
  return { build, weights }
}

/** Runs `read`, and puts the file's name into what it throws. */
function located<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof PantinError)) throw error
    const { problem } = error
    const place = problem.where === undefined ? where : `${where}: ${problem.where}`
    throw new FormatError({ ...problem, where: place }, { cause: error })
  }
}
