// What a model of a folder becomes for others: one ONNX file, weights included, or a packed run without its training.

import { readdir, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { formatCrop } from '../faces/box.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { codeOf, fileError } from '../files/file-errors.ts'
import { isIgnorable, makeFolder } from '../files/folders.ts'
import { writeSafetensors } from '../formats/safetensors/safetensors.ts'
import type { Graph } from '../graph/graph.ts'
import { simplify } from '../graph/ops/index.ts'
import { countParameters, input, inputInfo, parametersOf } from '../graph/ops/leaf.ts'
import { liveNodes, rewrite } from '../graph/rewrite.ts'
import type { Tensor } from '../graph/tensor.ts'
import { animatedRunSchema, type LoadedRun, modelOf } from '../model/loaded-run.ts'
import { noGenerator } from '../model/motion-model.ts'
import { checkWeights, hashDetector, loadRun, rewriteExactly } from '../model/open-model.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorGraph, generatorGraph, withByteFrames } from '../motion/model.ts'
import { type Ahead, toOnnx } from '../onnx/export.ts'
import { inHalfPrecision } from '../onnx/half-graph.ts'
import { decodeModel } from '../onnx/import/decode.ts'
import { picturesAhead } from '../onnx/pictures.ts'
import { type EightBitPlan, isPlanFor, withEightBits } from '../optimise/eight-bits.ts'
import type { Weighted } from '../optimise/rewrite-with.ts'
import { writeConfig } from '../run/config-file.ts'
import { openRun } from '../run/run.ts'
import { configFile, weightsFile } from '../run/run-files.ts'
import { tiedNames } from '../synthetic/made-clips.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { networkGraph } from '../zoo/registry.ts'
import type { MotionPart } from './import-fomm.ts'
import { folderKind, loadNetwork } from './network-folder.ts'

/** Pictures, channels, height, width. */
export type InputShape = readonly [number, number, number, number]

/** What is exported, and for which pictures. */
export interface ExportOptions {
  /**
   * `part` (default): a network as it is, for pictures of its size. `pipeline`: the detector of a motion model with all
   * that stands before it. Its input `frame` is uint8 [N, height, width, 3], of any height and width; the square, the size
   * and the range of values that the detector sees are made in the file. `metadata_props` of the file say what its outputs
   * are.
   */
  readonly what?: 'part' | 'pipeline' | undefined
  /** Which part of a motion model. Default: the detector. A plain network has no parts. */
  readonly part?: MotionPart | undefined
  /**
   * Shape of the pictures. Default: one picture of the run's size; 64x64 for a plain network; for a pipeline, one picture of
   * any size.
   */
  readonly input?: InputShape | undefined
  /**
   * How pictures are given to the model: float32 [N, 3, H, W] in [0, 1] (default), or uint8 [N, H, W, 3], as a pipeline
   * always takes them.
   */
  readonly frame?: FrameForm | undefined
  /**
   * Of the weights: `fp32` (default), or `fp16`, half as large and computed with in 32 bits. `fp16-graph`: convolutions and
   * what follows them compute in 16 bits too, for GPUs that do so; inputs, outputs, heads and coordinates keep 32 bits.
   * `int8`: the detector computes in eight bits, by `plan`; it is for one picture of the run's size.
   */
  readonly precision?: Precision | undefined
  /** For `int8`: which ops compute in eight bits, and their scales (default: as the compressed run has them). */
  readonly plan?: EightBitPlan | undefined
  /** Stops the export, which then fails with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Precision of an exported model. */
export type Precision = 'fp32' | 'fp16' | 'fp16-graph' | 'int8'

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
  /** Shapes of the inputs by name. A size that is open has a name. */
  readonly inputs: Readonly<Record<string, readonly (number | string)[]>>
  /** Shapes of the outputs by name. */
  readonly outputs: Readonly<Record<string, readonly number[]>>
  /** What the file says of itself: its `metadata_props`. */
  readonly metadata: Readonly<Record<string, string>>
}

/** A graph with all its weights. */
interface Exportable {
  readonly part: ExportedModel['part']
  readonly graph: Graph
  readonly weights: ReadonlyMap<string, Tensor>
  readonly metadata: Readonly<Record<string, string>>
  /** What stands before the graph in a pipeline. */
  readonly ahead?: Ahead
}

/**
 * Writes a plain network, or a part of a motion model, as ONNX. The file is written completely or not at all.
 *
 * @param folder a folder that train, distil or import made, or the name of a starter.
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
  const { part, graph, weights, metadata, ahead } = isNetwork
    ? await ofNetwork(folder, options)
    : await ofMotionModel(folder, options)
  signal?.throwIfAborted()
  const asBytes = options.frame === 'uint8' && ahead === undefined
  const given = { graph: simplify(asBytes ? withByteFrames(graph) : graph), weights }
  const isHalf = options.precision === 'fp16-graph'
  // The statistics of norms are folded into kernels, in 32 bits. Half precision is for GPUs.
  const network = isHalf ? await rewriteExactly(given, { target: 'gpu' }) : given
  const simple = network.graph
  const whole = toOnnx(simple, {
    ...{ weights: network.weights, halfWeights: options.precision === 'fp16' },
    ...{ name: `pantin-${part}`, metadata, ahead },
  })
  const bytes = isHalf ? inHalfPrecision(whole) : whole
  signal?.throwIfAborted()
  await writeFileAtomic(out, bytes)
  const { graph: written, opset } = decodeModel(bytes)
  const { inputs, outputs } = portsOf(simple)
  const taken = ahead === undefined ? inputs : { [ahead.takes.name]: ahead.takes.shape }
  return { part, bytes: bytes.length, ops: written.node.length, opset, inputs: taken, outputs, metadata }
}

async function ofNetwork(
  folder: string,
  { what, part, input, precision }: ExportOptions,
): Promise<Exportable> {
  if (precision === 'int8') {
    throw new InputError({
      what: 'a plain network has no videos to take ranges from',
      where: folder,
      got: 'the precision int8',
      remedy: 'export it in fp32 or fp16',
    })
  }
  if (part !== undefined || what === 'pipeline') {
    throw new InputError({
      what: 'the folder holds a plain network, which has no parts and finds no keypoints',
      where: folder,
      got: part === undefined ? 'a pipeline is asked for' : `the part ${part}`,
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

async function ofMotionModel(folder: string, options: ExportOptions): Promise<Exportable> {
  const { what, part = 'detector', input, frame, precision = 'fp32', plan } = options
  const loaded = await loadRun(folder)
  const { path, config, weights, eightBits } = loaded
  if (input !== undefined) checkInput(input)
  const isPipeline = what === 'pipeline'
  if (isPipeline) checkPipeline(options)
  if (part === 'generator' && !hasGenerator(weights)) throw noGenerator(path)
  const [batch = 1, , ...from] = input ?? []
  const [height = config.size, width = config.size] = isPipeline ? [] : from
  const build = part === 'detector' ? detectorGraph : generatorGraph
  const graph = build(config, { batch, height, width })
  checkWeights(weights, parametersOf(graph), join(path, weightsFile))
  const { net, keypoints } = config
  const pixels = frame === 'uint8' ? 'RGB, 0 to 255, channels last' : 'RGB, 0 to 1'
  const network =
    precision === 'int8'
      ? await inEightBits({ graph, weights }, plan ?? eightBits?.detector, {
          ...{ part, folder },
          input: isPipeline && batch === 1 ? undefined : input,
        })
      : { graph, weights }
  if (!isPipeline) {
    const metadata = { net, part, keypoints: String(keypoints), pixels, precision }
    return { part, ...network, metadata }
  }
  const { fit } = loaded
  const metadata = { net, part: 'pipeline', precision, ...(await pipelineFacts(loaded)) }
  const ahead = picturesAhead(seen, { batch, size: config.size, fit, from: input && [input[2], input[3]] })
  return { part, graph: withInput(network.graph, seen), weights: network.weights, metadata, ahead }
}

/** Name of the detector's own input in a pipeline. */
const seen = 'seen'

/** A graph of one input, with another name for it. */
function withInput(graph: Graph, name: string): Graph {
  return rewrite(graph, (node, _, target) => {
    const info = inputInfo(node)
    return info && [input(target, name, info.dtype, info.shape)]
  })
}

/** @throws InputError for options that a pipeline does not have. */
function checkPipeline({ part, frame }: ExportOptions): void {
  if ((part ?? 'detector') === 'detector' && frame !== 'float') return
  throw new InputError({
    what: 'a pipeline is the detector, for pictures in bytes',
    where: '--what pipeline',
    got: part === 'generator' ? 'the part generator' : 'pictures in floats',
    remedy: 'leave --part and --frame out',
  })
}

/** What the file of a pipeline says of itself. */
async function pipelineFacts({ path, config, fit, tie }: LoadedRun): Promise<Record<string, string>> {
  const { keypoints, size } = config
  const names = Array.from({ length: keypoints }, (_, k) => tiedNames[tie][k] ?? String(k))
  const square =
    fit === 'crop'
      ? 'side = min(height, width), left = floor((width - side) / 2), top = floor((height - side) / 2)'
      : 'side = max(height, width), left = width / 2 - (floor((SIZE - shown) / 2) + shown / 2) * side / SIZE, where ' +
        'shown = max(1, round(SIZE * width / side)), and the same with height for top'
  return {
    keypoints: JSON.stringify(names),
    size: String(size),
    pixels: 'RGB, 0 to 255, channels last',
    coordinates:
      'x, y in [-1, 1] of the square that the network sees: -1 and 1 are the centres of its first and last pixels. ' +
      'In pixels of the frame, where 0 is the centre of the first one, x is at left + ((x + 1) / 2 * (SIZE - 1) + 0.5) * ' +
      `side / SIZE - 0.5, and y the same with top. SIZE = ${size}, ${square}.`,
    jacobian:
      'how the neighbourhood of a keypoint is turned and stretched: row by row, in the same coordinates',
    version,
    sha256: await hashDetector(path),
  }
}

/** @throws InputError if there is no plan, or the graph is not the one that the plan was made for. */
async function inEightBits(
  network: Weighted,
  plan: EightBitPlan | undefined,
  {
    part,
    input,
    folder,
  }: { readonly part: MotionPart; readonly input: InputShape | undefined; readonly folder: string },
): Promise<Weighted> {
  const rewritten = await rewriteExactly(network)
  if (part === 'detector' && plan !== undefined && isPlanFor(plan, rewritten.graph)) {
    return withEightBits(rewritten, plan)
  }
  const other = part !== 'detector'
  throw new InputError({
    what: other ? 'only the detector is exported in int8' : 'there are no ranges for eight bits',
    where: folder,
    got: other ? part : plan === undefined ? 'none' : 'ranges for another graph',
    expected: `the detector${input === undefined ? '' : " for one picture of the run's size"}, of a run of compress or with videos to calibrate on`,
    remedy: other ? 'export the generator in fp16' : 'name videos to take ranges from: --calibrate VIDEO',
  })
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

/** How a run is packed. */
export interface PackRunOptions {
  /** Replaces a packed run that is in the folder (default false). */
  readonly force?: boolean
}

/** The folder that was written. */
export interface PackedRun {
  /** The folder, absolute. */
  readonly path: string
  /** Size of both files together, in bytes. */
  readonly bytes: number
  /** Trained numbers. */
  readonly params: number
}

/**
 * Writes a run as small as it can be used: `config.json` with the model, how its clips became square and what
 * keypoints are tied to, and `weights.safetensors` in F16, half of the size. Nothing else of the training is kept, such as the names of clips and
 * what the machine was. The folder is opened, exported and trained further as any run; it cannot be resumed.
 *
 * @param run a run folder, or the name of a starter
 * @param out the folder to make
 * @throws InputError if the run has no motion model or no weights, or if something is in the folder; FormatError if
 * weights do not fit.
 */
export async function packRun(
  run: string,
  out: string,
  { force = false }: PackRunOptions = {},
): Promise<PackedRun> {
  const opened = await openRun(run, animatedRunSchema)
  const { config: model, fit, crop, tie } = modelOf(opened.config, opened.path)
  const { tensors, metadata } = await opened.loadWeights()
  const { weights, params } = usedWeights(model, tensors, join(opened.path, weightsFile))
  const folder = resolve(out)
  await assertFree(folder, force)
  try {
    await makeFolder(folder)
    const step = metadata.get('step')
    const kept = new Map(step === undefined ? [] : [['step', step]])
    await writeSafetensors(join(folder, weightsFile), weights, kept, { floats: 'F16' })
    // The last file: with it, the folder is a run.
    const training = { fit, crop: formatCrop(crop), ...(tie !== 'none' && { tie }) }
    await writeConfig(folder, version, { model, training })
    return { path: folder, bytes: await bytesIn(folder), params }
  } catch (error) {
    throw fileError(error, folder, 'written')
  }
}

/** A student of an ONNX file, or an imported detector, has no generator. */
const hasGenerator = (weights: ReadonlyMap<string, Tensor>): boolean =>
  Array.from(weights.keys()).some((name) => name.startsWith('generator.'))

/** The weights that the model's graphs read. */
function usedWeights(model: MotionConfig, tensors: ReadonlyMap<string, Tensor>, where: string) {
  const graphs = hasGenerator(tensors)
    ? [detectorGraph(model), generatorGraph(model)]
    : [detectorGraph(model)]
  const parameters = graphs.flatMap(parametersOf)
  checkWeights(tensors, parameters, where)
  const weights = new Map(parameters.map(({ name }) => [name, tensors.get(name)!]))
  return { weights, params: countParameters(parameters) }
}

const ownFiles: ReadonlySet<string> = new Set([configFile, weightsFile])

/** @throws InputError if something is in the folder, other than a packed run that may be replaced. */
async function assertFree(folder: string, force: boolean): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw fileError(error, folder, 'written')
  })
  const found = names.filter((name) => !isIgnorable(name))
  const replaceable = found.every((name) => ownFiles.has(name))
  if (found.length === 0 || (force && replaceable)) return
  throw new InputError({
    what: replaceable ? 'a packed run is here already' : 'the folder has other things than a packed run',
    where: folder,
    got: found.slice(0, 5).join(', '),
    expected: 'a new or an empty folder',
    remedy: replaceable ? 'replace it with force, or choose another folder' : 'choose another folder',
  })
}

async function bytesIn(folder: string): Promise<number> {
  const sizes = await Promise.all(Array.from(ownFiles, async (name) => (await stat(join(folder, name))).size))
  return sizes.reduce((a, b) => a + b, 0)
}
