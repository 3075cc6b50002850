import type { Dilations } from '../layers/scope.ts'
import { createRun } from '../run/run.ts'
import { InputError } from '../util/errors.ts'
import { version } from '../util/version.ts'
import { findNet } from '../zoo/registry.ts'
import { openCheckpoint } from './checkpoint.ts'
import { importFomm, isFomm } from './import-fomm.ts'
import { importNetwork } from './import-network.ts'
import { networkConfig } from './network-folder.ts'

export interface ImportOptions {
  /** A name of the zoo; `hourglass` for checkpoints of the First Order Motion Model. */
  readonly net: string
  /** The folder to make. */
  readonly out: string
  /** Channels of the network's result (default 10). Of a motion model they show in the file. */
  readonly outputs?: number
  /** Take what fits and start the rest afresh (default false). */
  readonly partial?: boolean
  /** Default published: what the reference's weights were trained with. */
  readonly dilations?: Dilations
  /** Side of the frames of a motion model (default 256, as published). */
  readonly size?: number
  /** Replace a run or network that is in `out`. */
  readonly force?: boolean
}

export interface ImportResult {
  /** The folder, absolute. */
  readonly path: string
  readonly kind: 'network' | 'motion model'
  readonly net: string
  /** Channels of the result, or keypoints. */
  readonly outputs: number
  readonly format: 'PyTorch' | 'safetensors'
  /** Where in the file the weights were. */
  readonly from: string
  /** Number of tensors that were taken. */
  readonly taken: number
  /** Parameters that were started afresh. */
  readonly fresh: readonly string[]
  /** Tensors of the file that were not used. */
  readonly ignored: readonly string[]
}

/**
 * Makes a folder of a checkpoint that PyTorch wrote (`.pth`, `.pt`, `.pth.tar`) or of safetensors, in the
 * names of the reference repositories: of a network of the zoo, or of the First Order Motion Model. Nothing is
 * executed that the file says, and nothing is written where it does not fit.
 *
 * @throws InputError, FormatError for a file that cannot be used, with what it lacks.
 */
export async function importCheckpoint(file: string, options: ImportOptions): Promise<ImportResult> {
  const { out, outputs = 10, partial = false, dilations = 'published', force = false } = options
  const net = findNet(options.net)
  const checkpoint = await openCheckpoint(file)
  try {
    const { format } = checkpoint
    if (net.name === 'hourglass' && isFomm(checkpoint)) {
      const { config, weights, parts, ...rest } = await importFomm(checkpoint, {
        file,
        size: options.size ?? 256,
      })
      const imported = { file, format, parts }
      const path = await save(out, { model: config, imported }, weights, force)
      return {
        path,
        kind: 'motion model',
        net: net.name,
        outputs: config.keypoints,
        format,
        fresh: [],
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
    const { weights, ...rest } = await importNetwork(checkpoint, config, { file, partial })
    const path = await save(out, { network: config, imported: { file, format } }, weights, force)
    return { path, kind: 'network', net: net.name, outputs, format, ...rest }
  } finally {
    await checkpoint.close()
  }
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
