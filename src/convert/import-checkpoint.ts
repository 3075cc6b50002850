// Makes a run folder from a checkpoint of the published code: a network of the zoo, or a First Order Motion Model.
import { assertNoInput } from '../files/folders.ts'
import type { Dilations } from '../layers/scope.ts'
import { createRun } from '../run/run.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { findNet } from '../zoo/registry.ts'
import { importFomm, isFomm } from './import-fomm.ts'
import { importNetwork } from './import-network.ts'
import { networkConfig } from './network-folder.ts'
import { openCheckpoint } from './open-checkpoint.ts'

/** How a checkpoint is imported. */
export interface ImportOptions {
  /** A name of the zoo; `hourglass` for checkpoints of the First Order Motion Model. */
  readonly net: string
  /** The folder to make. */
  readonly out: string
  /** Channels of the network's result. Default 10. For a motion model the file tells. */
  readonly outputs?: number
  /** Take the parameters that fit, and initialise the others. Default false: all have to fit. */
  readonly partial?: boolean
  /** Default `published`: the weights of the published code were trained so. */
  readonly dilations?: Dilations
  /** Side of the frames of a motion model in pixels. Default 256, as published. */
  readonly size?: number
  /**
   * The place in the file whose tensors are taken, if there are several, such as weights and their averages:
   * `state_dict_ema`. Default: the place with most of the parameters, and weights before averages.
   */
  readonly from?: string
  /** Whether a run or network in `out` is replaced. Default false. */
  readonly force?: boolean
  /** Stops the import, which then fails with the signal's reason and leaves no folder. */
  readonly signal?: AbortSignal
}

/** The folder that was made, and what was taken from the file. */
export interface ImportResult {
  /** The folder, absolute. */
  readonly path: string
  /** What was imported: a motion model, or a plain network. */
  readonly kind: 'network' | 'motion model'
  /** Name of the network. */
  readonly net: string
  /** Channels of the result, or keypoints. */
  readonly outputs: number
  /** Format of the checkpoint. */
  readonly format: 'PyTorch' | 'safetensors'
  /** Where in the file the weights were. */
  readonly from: string
  /** Number of tensors that were taken. */
  readonly taken: number
  /** Parameters that were initialised, because the file does not have them. */
  readonly fresh: readonly string[]
  /** Tensors of the file that were not used. */
  readonly ignored: readonly string[]
  /** Other places in the file with such weights, which the option `from` takes. */
  readonly others: readonly string[]
  /** Python classes and functions in the file that pantin does not know. Their objects were passed over. */
  readonly foreign: readonly string[]
}

/**
 * Makes a folder from a checkpoint of PyTorch (`.pth`, `.pt`, `.pth.tar`) or safetensors, with the tensor names of
 * the published code: of a network of the zoo, or of the First Order Motion Model. No code in the file is executed.
 * If the file does not fit, nothing is written.
 *
 * @throws InputError or FormatError for a file that cannot be used; the message says what is missing.
 * The signal's reason, if it is aborted.
 */
export async function importCheckpoint(file: string, options: ImportOptions): Promise<ImportResult> {
  const { out, outputs = 10, partial = false, dilations = 'published', force = false } = options
  const net = findNet(options.net)
  const { signal, from } = options
  signal?.throwIfAborted()
  await assertNoInput([out], [file])
  const checkpoint = await openCheckpoint(file)
  try {
    const { format, foreign } = checkpoint
    if (net.name === 'hourglass' && isFomm(checkpoint)) {
      const { config, weights, parts, ...rest } = await importFomm(checkpoint, {
        file,
        size: options.size ?? 256,
        from,
        signal,
      })
      assertDecidedByFile(options, config.keypoints)
      const imported = { file, format, parts }
      const path = await save(out, { model: config, imported }, weights, force)
      return {
        path,
        kind: 'motion model',
        net: net.name,
        outputs: config.keypoints,
        format,
        fresh: [],
        foreign,
        ...rest,
      }
    }
    if (options.size !== undefined) {
      throw new InputError({
        what: 'only a motion model is for frames of one size',
        got: `size ${options.size}`,
        remedy: 'leave it out: a network takes pictures of any size that fits its strides',
      })
    }
    const config = networkConfig(net.name, outputs, dilations)
    const { weights, ...rest } = await importNetwork(checkpoint, config, { file, partial, from, signal })
    const path = await save(out, { network: config, imported: { file, format } }, weights, force)
    return { path, kind: 'network', net: net.name, outputs, format, foreign, ...rest }
  } finally {
    await checkpoint.close()
  }
}

/** A motion model has all of its parameters and its own keypoints. @throws InputError for options that say otherwise */
function assertDecidedByFile({ outputs, partial, dilations }: ImportOptions, keypoints: number): void {
  const refused = [
    ...(outputs === undefined || outputs === keypoints ? [] : [`outputs ${outputs}`]),
    ...(partial ? ['partial'] : []),
    ...(dilations === undefined || dilations === 'published' ? [] : [`dilations ${dilations}`]),
  ]
  if (refused.length === 0) return
  throw new InputError({
    what: 'the file of a motion model decides this itself',
    got: refused.join(', '),
    expected: `${keypoints} keypoints, all parameters, and dilations as published`,
    remedy: 'leave it out',
  })
}

async function save(
  out: string,
  config: object,
  weights: Parameters<Awaited<ReturnType<typeof createRun>>['saveWeights']>[0],
  force: boolean,
): Promise<string> {
  const run = await createRun(out, { config, version, force })
  try {
    await run.saveWeights(weights)
    return run.path
  } finally {
    run.close()
  }
}
