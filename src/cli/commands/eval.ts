import type { DetectorEvaluation, Evaluation } from '../../evaluate/evaluation.ts'
import { formatCount, table } from '../../report/format.ts'
import { InputError } from '../../util/errors.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { type DeviceName, deviceOption, type FitName, fitOption, fraction } from '../options.ts'

interface EvalFlags {
  readonly from: number
  readonly teacher?: string
  readonly source?: string
  readonly absolute?: true
  readonly fit?: FitName
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
    .argument('<run>', 'folder of a run')
    .argument('<video...>', 'videos or folders of them, or puppet:SEED')
    .option('--from <part>', 'where in each video to begin, 0 to 1', fraction('--from'), 0.8)
    .option('--teacher <run|file.onnx>', 'a detector to hold this one against')
    .option(
      '-s, --source <picture>',
      'a picture that the videos move, to see whether it goes where it is sent',
    )
    .option('--absolute', "move the picture by the videos' pose and shape too, not their movement alone")
    .addOption(fitOption())
    .addOption(deviceOption())
  withCommonFlags(command).action(call(runEval))
}

async function runEval(
  { reporter, signal }: Context,
  run: string,
  named: string[],
  flags: EvalFlags,
): Promise<void> {
  if (flags.absolute && flags.source === undefined) throw absoluteAlone()
  const { evaluate } = await import('../../evaluate/evaluate.ts')
  const { listClips } = await import('../../clips/clip-list.ts')
  await reporter.prepare()
  const found = await evaluate(run, await listClips(named), {
    ...flags,
    signal,
    onProgress: (done, total) => reporter.progress({ phase: 'eval', done, total, unit: 'frames' }),
  })
  reporter.result(withNulls(found), () => describe(found))
}

function absoluteAlone(): InputError {
  return new InputError({
    what: 'there is no picture to move',
    where: '--absolute',
    remedy: 'add --source PICTURE',
  })
}

/** What was not measured is null in JSON, where `undefined` would leave its name out. */
function withNulls(found: Evaluation | DetectorEvaluation): object {
  const text = JSON.stringify(found, (_, value: unknown) => (value === undefined ? null : value))
  return JSON.parse(text) as object
}

function describe(found: Evaluation | DetectorEvaluation): string {
  const frames = `${formatCount(found.frames)} frames`
  const keypoints = `keypoints, distances in units of [-1, 1]${found.still === undefined ? `, ${frames}` : ''}`
  const measures = [keypoints, table(keypointRows(found).map(([name, text]) => [name, text]))].join('\n')
  if (found.still === undefined) return measures
  return [reconstructionTable(found, frames), '', measures].join('\n')
}

function reconstructionTable({ l1, psnr, ssim, akd, still }: Evaluation, frames: string): string {
  return table(
    [
      ['l1', l1.toFixed(4), still.l1.toFixed(4), percent(l1 / still.l1)],
      ['psnr', decibels(psnr), decibels(still.psnr), decibels(psnr - still.psnr, '+')],
      ['ssim', ssim.toFixed(4), still.ssim.toFixed(4), ''],
      [`akd, by ${finders[akd.by]}`, pixels(akd.pixels), pixels(akd.still), percent(akd.pixels / akd.still)],
    ],
    [frames, 'model', 'still picture', 'model to still'],
  )
}

/** What each measure says, where it was taken. */
function keypointRows(found: Evaluation | DetectorEvaluation): [string, string][] {
  const { equivariance, jitter, teacher, landmarks, transfer } = found
  const rows: [string, string][] = [
    ['equivariance', `value ${four(equivariance.value)}, jacobian ${four(equivariance.jacobian)}`],
  ]
  if (jitter)
    rows.push(['jitter', `${four(jitter.acceleration)}, relative to speed ${four(jitter.relative)}`])
  if (teacher)
    rows.push(['to teacher', `distance ${four(teacher.distance)}, jacobian ${four(teacher.jacobian)}`])
  if (landmarks) {
    const { forward, backward, mean, fitted } = landmarks
    const errors = `forward ${percent(forward, 1)}, backward ${percent(backward, 1)} of the torso`
    const means = `their mean: ${percent(mean.forward, 1)}, ${percent(mean.backward, 1)}`
    rows.push(['landmarks', `${errors} (${means}; fitted on ${formatCount(fitted)} frames)`])
  }
  if (transfer) {
    rows.push(['transfer', `${four(transfer.distance)} from where asked (unmoved: ${four(transfer.still)})`])
  }
  return rows
}

const finders = { teacher: 'the teacher', own: 'its own detector' } as const
const four = (value: number | undefined) => value?.toFixed(4) ?? 'none'
const percent = (part: number, digits = 0) => `${(100 * part).toFixed(digits)}%`
const pixels = (value: number) => `${value.toFixed(3)} px`
const decibels = (value: number, sign = '') => `${value >= 0 ? sign : ''}${value.toFixed(2)} dB`
