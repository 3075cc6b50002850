// A perceptual loss: pictures compared by the features of a network that is imported from ONNX.
import type { Graph, Value } from '../../graph/graph.ts'
import { abs, addAll, averagePool, mul, reduceMean, sub } from '../../graph/ops/index.ts'
import type { Tensor } from '../../graph/tensor.ts'
import { fromOnnx, inputNames } from '../../onnx/import.ts'
import { FormatError, PantinError } from '../../util/errors.ts'

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
