// Exports a model of a folder as one ONNX file, weights included.
import { join } from 'node:path'
import { writeFileAtomic } from '../files/atomic.ts'
import type { Graph } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { inputInfo } from '../graph/ops/leaf.ts'
import { liveNodes } from '../graph/rewrite.ts'
import type { Tensor } from '../graph/tensor.ts'
import { checkWeights, loadRun } from '../model/open-model.ts'
import { detectorGraph, generatorGraph, withByteFrames } from '../motion/model.ts'
import { parametersOf } from '../motion/weights.ts'
import { toOnnx } from '../onnx/export.ts'
import { decodeModel } from '../onnx/import/decode.ts'
import { weightsFile } from '../run/run-files.ts'
import { InputError } from '../util/errors.ts'
import { networkGraph } from '../zoo/network-graph.ts'
import type { MotionPart } from './import-fomm.ts'
import { folderKind, loadNetwork } from './network-folder.ts'

/** Pictures, channels, height, width. */
export type InputShape = readonly [number, number, number, number]

/** What is exported, and for which pictures. */
export interface ExportOptions {
  /** Which part of a motion model. Default: the detector. A plain network has no parts. */
  readonly part?: MotionPart | undefined
  /** Shape of the pictures. Default: one picture of the run's size; 64x64 for a plain network. */
  readonly input?: InputShape | undefined
  /** How pictures are given to the model: float32 [N, 3, H, W] in [0, 1] (default), or uint8 [N, H, W, 3]. */
  readonly frame?: FrameForm | undefined
  /** Stops the export, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** How pictures are given to a model; see `ExportOptions.frame`. */
export type FrameForm = 'float' | 'uint8'

/** The file that was written. */
export interface ExportedModel {
  /** The part of the run that the file holds. */
  readonly part: MotionPart | 'network'
  /** Size of the file in bytes. */
  readonly bytes: number
  /** Number of nodes of the graph. */
  readonly ops: number
  /** Version of the ONNX operators. */
  readonly opset: number
  /** Shapes of the inputs by name. */
  readonly inputs: Readonly<Record<string, readonly number[]>>
  /** Shapes of the outputs by name. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

/** A graph with all its weights. */
interface Exportable {
  readonly part: ExportedModel['part']
  readonly graph: Graph
  readonly weights: ReadonlyMap<string, Tensor>
  readonly metadata: Readonly<Record<string, string>>
}

/**
 * Writes a plain network, or a part of a motion model, as ONNX. The file is written completely or not at all.
 *
 * @param folder a folder that train, distil or import made.
 * @param out the file to write; an existing file is replaced.
 * @throws InputError if there is no such folder, or its model does not take such pictures. The signal's reason, if it
 * is aborted.
 */
export async function exportFolder(
  folder: string,
  out: string,
  options: ExportOptions = {},
): Promise<ExportedModel> {
  const { signal } = options
  signal?.throwIfAborted()
  const isNetwork = (await folderKind(folder)) === 'network'
  const { part, graph, weights, metadata } = isNetwork
    ? await ofNetwork(folder, options)
    : await ofMotionModel(folder, options)
  signal?.throwIfAborted()
  const simple = simplify(options.frame === 'uint8' ? withByteFrames(graph) : graph)
  const bytes = toOnnx(simple, { weights, name: `pantin-${part}`, metadata })
  signal?.throwIfAborted()
  await writeFileAtomic(out, bytes)
  const { graph: written, opset } = decodeModel(bytes)
  return { part, bytes: bytes.length, ops: written.node.length, opset, ...portsOf(simple) }
}

async function ofNetwork(folder: string, { part, input }: ExportOptions): Promise<Exportable> {
  if (part !== undefined) {
    throw new InputError({
      what: 'the folder holds a plain network, which has no parts',
      where: folder,
      got: `the part ${part}`,
      remedy: 'leave it out',
    })
  }
  if (input !== undefined) checkInput(input)
  const { config, weights } = await loadNetwork(folder)
  const { net, outputs, dilations } = config
  const metadata = { net, part: 'network', outputs: String(outputs), dilations }
  const { graph } = networkGraph(net, { outputs, dilations, ...(input && { shape: input }) })
  return { part: 'network', graph, weights, metadata }
}

async function ofMotionModel(
  folder: string,
  { part = 'detector', input, frame }: ExportOptions,
): Promise<Exportable> {
  const { path, config, weights } = await loadRun(folder)
  if (input !== undefined) checkInput(input)
  const [batch = 1, , height = config.size, width = config.size] = input ?? []
  const build = part === 'detector' ? detectorGraph : generatorGraph
  const graph = build(config, { batch, height, width })
  checkWeights(weights, parametersOf(graph), join(path, weightsFile))
  const { net, keypoints } = config
  const pixels = frame === 'uint8' ? 'RGB, 0 to 255, channels last' : 'RGB, 0 to 1'
  return {
    part,
    graph,
    weights,
    metadata: { net, part, keypoints: String(keypoints), pixels },
  }
}

/** Pixels of all pictures together. A graph holds the coordinates of its pixels, and more would fill the memory. */
const mostPixels = 8192 * 8192

function checkInput(input: InputShape): void {
  const [batch, channels, height, width] = input
  if (channels !== 3) {
    throw new InputError({
      what: 'the model reads RGB pictures',
      where: 'the input',
      got: input.join('x'),
      expected: [batch, 3, height, width].join('x'),
    })
  }
  if (batch * height * width > mostPixels) {
    throw new InputError({
      what: 'the pictures are too many or too large',
      where: 'the input',
      got: input.join('x'),
      expected: `${mostPixels} pixels at most, of all pictures together`,
    })
  }
}

function portsOf(graph: Graph): Pick<ExportedModel, 'inputs' | 'outputs'> {
  const inputs = liveNodes(graph).flatMap((node) => inputInfo(node) ?? [])
  return {
    inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    outputs: Object.fromEntries(Array.from(graph.outputs, ([name, { shape }]) => [name, shape])),
  }
}
