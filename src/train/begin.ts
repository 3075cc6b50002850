import { loadRun } from '../model/load-run.ts'
import { detectorOptions, modelOptions } from '../motion/options.ts'
import type { Run } from '../run/run.ts'
import { InputError } from '../util/errors.ts'
import { recordedAll } from '../util/options.ts'
import { type RunConfig, runConfigSchema } from './config.ts'
import { makeRun } from './make-run.ts'
import type { TrainOptions } from './resolve.ts'
import { detectorFacts, settingsFacts } from './run-options.ts'

/** The run folder that comes of what a run of `train` is asked for. */

/** Options that decide the model, and what it begins with. */
const ofModel: ReadonlySet<string> = new Set([
  ...Object.keys({ ...detectorOptions, ...modelOptions }),
  ...['net', 'design', 'model', 'init'],
])

/** Puts the model of the run that is to be trained further into the options. @throws InputError */
export async function withFinetuned({ finetune, ...options }: TrainOptions): Promise<TrainOptions> {
  if (finetune === undefined) return options
  const given = Object.entries(options).flatMap(([name, value]) =>
    ofModel.has(name) && value !== undefined ? [name] : [],
  )
  if (given.length > 0) {
    throw new InputError({
      what: 'a run that is trained further keeps its model',
      got: `finetune, and ${given.join(', ')}`,
      remedy: 'leave these out, or take --init, which begins another model with what fits',
    })
  }
  const { config } = await loadRun(finetune)
  return { ...options, model: config, init: finetune }
}

/** Makes the run folder, or opens it to go on. @throws InputError where the folder or an option does not fit. */
export function beginRun(config: RunConfig, options: TrainOptions): Promise<Run<RunConfig>> {
  const { init } = config.training
  return makeRun({ config, options, schema: runConfigSchema, facts, always: ['clips'], reads: { init } })
}

const facts = ({ model, training }: RunConfig) => ({
  ...settingsFacts(training),
  ...recordedAll(modelOptions, model),
  ...detectorFacts(model),
  generator: model.generator.kind === 'light' ? 'light' : 'small',
})
