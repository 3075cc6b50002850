// The run folder of `train` and of `distil`: made, or opened to go on as it was begun; and the weights it begins with.
import { realpath } from 'node:fs/promises'
import { resolve } from 'node:path'
import { z } from 'zod'
import { openClip } from '../clips/source.ts'
import { startingWeights } from '../convert/network-folder.ts'
import { frameClip, isMade } from '../faces/framing.ts'
import { nodeFaces } from '../faces/node.ts'
import { assertResumable, type Facts } from '../files/folders.ts'
import type { Tensor } from '../graph/tensor.ts'
import type { FitMode } from '../media/fit.ts'
import { loadRun } from '../model/open-model.ts'
import type { MotionConfig } from '../motion/config.ts'
import { detectorOptions, modelOptions } from '../motion/options.ts'
import { readConfig, runFolder } from '../run/config-file.ts'
import { createRun, openRun, type Run } from '../run/run.ts'
import { describeDevices } from '../runtime/node.ts'
import { FormatError, fileWord, InputError } from '../util/errors.ts'
import { defined, recordedAll } from '../util/options.ts'
import { version } from '../util/version.ts'
import { ownOptions } from '../zoo/net.ts'
import { findNet } from '../zoo/registry.ts'
import { assertKeepsModel, finetuning, type RunOptions, type Settings, type TrainOptions } from './config.ts'
import type { Augmentation } from './frames.ts'

/** What the configurations of all runs have in common. */
export interface AnyConfig {
  readonly model: MotionConfig
  readonly training: Settings
  /** What a student is held to. */
  readonly distillation?: object | undefined
}

/** A run that is to be made or continued. */
export interface RunRequest<T extends AnyConfig> {
  readonly config: T
  readonly schema: z.ZodType<T>
  readonly options: RunOptions & object
  /** Folders and files that training reads from, by the names of the options that say so. */
  readonly reads: Readonly<Record<string, string | undefined>>
}

/** Makes the run folder, or opens it to go on. @throws InputError if the folder or an option does not fit. */
export async function beginRun<T extends AnyConfig>(request: RunRequest<T>): Promise<Run<T>> {
  const { config, schema, options, reads } = request
  const { out, resume, force = false } = options
  if (!resume) {
    await assertOtherFolders(out, reads)
    const devices = await describeDevices()
    return createRun(out, { config, version, force, environment: { devices } })
  }
  await assertOwn(out, config.distillation === undefined ? 'train' : 'distil')
  const run = await openRun(out, schema, { write: true })
  const given = new Set(['clips', 'teacher', ...Object.keys(options)])
  if (given.delete('augment')) for (const name of Object.keys(changes({}))) given.add(name)
  // A run that is resumed has the number that was chosen for it.
  if (config.training.replicas === 'auto') given.delete('replicas')
  try {
    assertResumable(facts(run.config), facts(config), {
      what: (name) => `the run was begun with another ${name}`,
      where: run.path,
      remedy: (name) =>
        name === 'steps' || name === 'minutes'
          ? `resume it as it was begun; or train further from its weights, with --from ${out} and another --out: the ` +
            'learning rate of each step depends on the length of the run, so a finished run has no further steps, and ' +
            'the optimiser starts again'
          : 'resume it as it was begun, or train another run',
      among: given,
    })
    return run
  } catch (error) {
    run.close()
    throw error
  }
}

/** What tells which command made a run. Other commands write no clips. */
const originSchema = z.looseObject({
  model: z.looseObject({}).optional(),
  network: z.looseObject({ net: z.string() }).optional(),
  training: z.looseObject({ clips: z.unknown().optional() }).optional(),
  distillation: z.looseObject({ teacher: z.string() }).optional(),
  compression: z.unknown().optional(),
})

/** Refuses to go on with a run of another command. @throws FormatError that names the right one */
async function assertOwn(out: string, command: 'train' | 'distil'): Promise<void> {
  const path = resolve(out)
  const { model, network, training, distillation, compression } = (await readConfig(path, originSchema))
    .config
  const own = fileWord(out)
  const refuse = (got: string, remedy: string) => {
    const what = `the run cannot be resumed by ${command}`
    throw new FormatError({ what, where: path, got, expected: `a run of ${command}`, remedy })
  }
  if (network !== undefined) {
    const begin = `pantin train VIDEO --net ${network.net} --init ${own} --out OTHER`
    refuse('a plain network', `begin a model with its weights: ${begin}`)
  }
  if (model !== undefined && training?.clips === undefined) {
    const got = compression === undefined ? 'a model alone, without its training' : 'it was compressed'
    refuse(got, `train further from its weights: pantin train VIDEO --from ${own} --out OTHER`)
  }
  if (distillation !== undefined && command === 'train') {
    const teacher = fileWord(distillation.teacher)
    refuse(
      'it was distilled',
      `continue it with distil: pantin distil VIDEO --teacher ${teacher} --out ${own} --resume`,
    )
  }
  if (distillation === undefined && command === 'distil') {
    refuse(
      'it was trained without a teacher',
      `continue it with train: pantin train VIDEO --out ${own} --resume`,
    )
  }
}

/** What a run was begun with, by the names of options. What it computes on may change. */
function facts({ model, training, distillation }: AnyConfig): Facts {
  const { device: _, threads: __, ...settings } = training
  return {
    ...settings,
    ...('augment' in settings && changes(settings.augment as Augmentation)),
    crop: settings.crop ?? 'motion',
    grow: 'grow' in settings ? settings.grow : 'none',
    ...distillation,
    ...recordedAll({ ...modelOptions, ...detectorOptions }, model),
    net: model.net,
    design: model.detector.design,
    netOptions: ownOptions(findNet(model.net), model.detector),
    generator: model.generator.kind === 'light' ? 'light' : 'small',
  }
}

/** Changes of pictures by the names that options have. */
const changes = ({ flip, colour, tint = 0, vary = 0 }: Partial<Augmentation>) => ({
  ...{ mirror: flip, colour, tint, vary },
})

/** What training begins from would be gone before it is read. */
async function assertOtherFolders(out: string, reads: RunRequest<AnyConfig>['reads']): Promise<void> {
  const own = await realpath(out).catch(() => undefined)
  for (const [name, path] of Object.entries(reads)) {
    if (own === undefined || path === undefined || (await realpath(await runFolder(path))) !== own) continue
    throw new InputError({
      what: `the run that is named by ${name} would be replaced by this one`,
      where: path,
      remedy: 'choose another folder for the new run',
    })
  }
}

/** A run's settings, with what this call computes on: another device or number of threads may go on with a run. */
export const settingsHere = <T extends Settings>(
  settings: T,
  { device, threads }: Partial<Pick<Settings, 'device' | 'threads'>>,
): T => ({ ...settings, ...defined({ device, threads }) })

/** Weights that a run begins with instead of fresh ones. @throws InputError, FormatError if they cannot be used. */
export async function readStart({
  model,
  training: { init },
}: AnyConfig): Promise<ReadonlyMap<string, Tensor> | undefined> {
  return init === undefined ? undefined : startingWeights(init, model)
}

/** Pixels a side of the square that is looked for; nothing is drawn in it. */
const lookSize = 64

/**
 * The starter whose model suits clips: `face`, if each of them shows a face; undefined if none does.
 *
 * @param clips paths of videos, or specs of made clips, for which there is no starter to begin with
 * @throws InputError for a clip that cannot be read.
 */
export async function suitingStarter(
  clips: readonly string[],
  { fit = 'crop', signal }: { readonly fit?: FitMode | undefined; readonly signal?: AbortSignal | undefined },
): Promise<'face' | undefined> {
  if (clips.some(isMade)) return undefined
  for (const path of clips) {
    const clip = await openClip(path)
    try {
      const { framing } = await frameClip(clip, lookSize, { fit, crop: 'auto', faces: nodeFaces, signal })
      if (framing.by !== 'face') return undefined
    } finally {
      await clip.close()
    }
  }
  return 'face'
}

/** Puts the model of the run that is to be trained further into the options. @throws InputError */
export async function withFinetuned({ from, ...options }: TrainOptions): Promise<TrainOptions> {
  if (from === undefined) return options
  assertKeepsModel(options)
  const { config } = await loadRun(from)
  return { ...(options.resume ? options : finetuning(options, config)), model: config, init: from }
}
