// `pantin eval`: measures a trained model, and prints the table of measures.
import {
  type DetectorEvaluation,
  type Evaluation,
  findMeasure,
  type Measure,
  measureNames,
  readMeasure,
  textOf,
} from '../../evaluate/measures.ts'
import { formatCount, percent, table } from '../../report/format.ts'
import { InputError } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import {
  type CropFlags,
  type DeviceName,
  deviceOption,
  fraction,
  runArgument,
  squareOf,
  withCropFlags,
} from '../options.ts'

interface EvalFlags extends CropFlags {
  readonly from: number
  readonly teacher?: string
  readonly source?: string
  readonly absolute?: true
  readonly device?: DeviceName
}

/** `pantin eval RUN VIDEO...`. */
export const addEval: AddCommand = (program, call) => {
  const command = program
    .command('eval')
    .summary('measure a trained model')
    .description(
      'Reconstructs the end of videos from their first frames, compares with the still picture doing nothing, and measures the keypoints themselves.',
    )
    .argument(...runArgument)
    .argument('<video...>', 'videos or folders of them, puppet:SEED or head:SEED')
    .option('--from <part>', 'where in each video to begin, 0 to 1', fraction('--from'), 0.8)
    .option('--teacher <run|file.onnx>', 'a detector to compare this one with')
    .option(
      '-s, --source <picture>',
      'a picture that the videos move, to measure whether it goes where it is sent',
    )
    .option('--absolute', "move the picture by the videos' pose and shape too, not their movement alone")
    .addOption(deviceOption())
  withCommonFlags(withPlugins(withCropFlags(command))).action(call(runEval))
}

async function runEval(
  { reporter, signal }: Context,
  run: string,
  named: string[],
  flags: EvalFlags,
): Promise<void> {
  if (flags.absolute && flags.source === undefined) throw absoluteAlone()
  const { evaluate } = await import('../../evaluate/evaluate.ts')
  const { listClips } = await import('../../clips/source.ts')
  await reporter.prepare()
  const found = await evaluate(run, await listClips(named), {
    ...flags,
    signal,
    onProgress: (done, total) => reporter.progress({ phase: 'eval', done, total, unit: 'frames' }),
  })
  reporter.warn(found.notices)
  reporter.result(withNulls(found), () => describe(found))
}

function absoluteAlone(): InputError {
  return new InputError({
    what: 'there is no picture to move',
    where: '--absolute',
    remedy: 'add --source PICTURE',
  })
}

/** A measure that was not taken is null in JSON: `undefined` would leave its name out. */
function withNulls(found: Evaluation | DetectorEvaluation): object {
  const text = JSON.stringify(found, (_, value: unknown) => (value === undefined ? null : value))
  return JSON.parse(text) as object
}

/** Two tables: measures of generated pictures beside those of the still picture, and measures of keypoints. */
function describe(found: Evaluation | DetectorEvaluation): string {
  const frames = `${formatCount(found.frames)} frames`
  const pictures = rowsOf(found, 'pictures')
  const keypoints = rowsOf(found, 'keypoints')
  const parts = [
    ...(pictures.length === 0 ? [] : [table(pictures, [frames, 'model', 'still picture', 'model to still'])]),
    `keypoints, distances in units of [-1, 1]${pictures.length === 0 ? `, ${frames}` : ''}\n${table(keypoints)}`,
  ]
  const squares = found.squares.map((square) => `square of ${square.clip}: ${squareOf(square)}`)
  return [...parts, squares.join('\n')].join('\n\n')
}

/** A row for each measure that was taken. */
function rowsOf(found: Evaluation | DetectorEvaluation, of: Measure['of']): string[][] {
  return measureNames().flatMap((name) => {
    const measure = findMeasure(name)!
    const value = readMeasure(name, found)
    if (measure.of !== of || value === undefined) return []
    const { label, baseline, note } = measure
    const remark = note?.(found)
    const least = baseline?.read(found)
    const text = textOf(measure, value)
    if (of === 'pictures') {
      const title = remark === undefined ? label : `${label}, ${remark}`
      return [
        least === undefined
          ? [title, text]
          : [title, text, textOf(measure, least), against(measure, value, least)],
      ]
    }
    const remarks = [least === undefined ? undefined : `${baseline!.label} ${textOf(measure, least)}`, remark]
    const said = remarks.filter((one) => one !== undefined).join('; ')
    return [[label, said === '' ? text : `${text} (${said})`]]
  })
}

/** The model's number compared with the still picture's: a part of it, or the difference of decibels. */
function against({ better, unit }: Measure, value: number, still: number): string {
  if (unit === 'dB') return `${value >= still ? '+' : ''}${(value - still).toFixed(2)} dB`
  return better === 'lower' ? percent(value / still) : ''
}
