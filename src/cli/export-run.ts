import { join } from 'node:path'
import { checkWeights, loadRun } from '../animate/load.ts'
import type { Graph } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import { type MotionConfig, smallConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { toOnnx } from '../onnx/export.ts'
import { decodeModel } from '../onnx/import/decode.ts'
import { writeFileAtomic } from '../store/atomic.ts'
import { InputError } from '../util/errors.ts'

const graphs = { detector: detectorGraph, generator: generatorGraph } as const

export interface ExportRunOptions {
  readonly part: keyof typeof graphs
  /** Pictures, channels, height, width; default: one picture of the run's size. */
  readonly input?: readonly [number, number, number, number] | undefined
}

export interface ExportedModel {
  readonly part: keyof typeof graphs
  readonly bytes: number
  /** Number of nodes. */
  readonly ops: number
  readonly opset: number
  /** Shapes by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

/**
 * Writes a part of a run's model as ONNX, weights included; the file appears whole or not at all.
 *
 * @throws InputError where there is no run, or its model does not take such pictures.
 */
export async function exportRun(
  folder: string,
  out: string,
  { part, input }: ExportRunOptions,
): Promise<ExportedModel> {
  const { path, config, weights } = await loadRun(folder)
  const graph = simplify(graphs[part](sizedConfig(config, input), { batch: input?.[0] ?? 1 }))
  checkWeights(weights, parametersOf(graph), join(path, 'weights.safetensors'))
  const bytes = toOnnx(graph, {
    weights,
    name: `pantin-${part}`,
    metadata: { net: config.net, part, keypoints: String(config.keypoints), pixels: 'RGB, 0 to 1' },
  })
  await writeFileAtomic(out, bytes)
  const { graph: written, opset } = decodeModel(bytes)
  return { part, bytes: bytes.length, ops: written.node.length, opset, ...portsOf(graph) }
}

/** The model for pictures of another size: its weights fit any. */
function sizedConfig(config: MotionConfig, input: ExportRunOptions['input']): MotionConfig {
  if (input === undefined) return config
  const [, channels, height, width] = input
  if (channels !== 3 || height !== width) {
    throw new InputError({
      what: 'the model reads square RGB pictures',
      where: '--input',
      got: input.join('x'),
      expected: `${input[0]}x3x${config.size}x${config.size}`,
    })
  }
  // Refuses a side that the network cannot halve often enough.
  smallConfig({ net: config.net, size: height })
  return { ...config, size: height }
}

function portsOf(graph: Graph): Pick<ExportedModel, 'inputs' | 'outputs'> {
  const inputs = liveNodes(graph).flatMap((node) => inputInfo(node) ?? [])
  return {
    inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    outputs: Object.fromEntries(Array.from(graph.outputs, ([name, { shape }]) => [name, shape])),
  }
}
