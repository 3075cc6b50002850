// `pantin demo`: what the starters do, and what a few minutes of training add.
import { join } from 'node:path'
import { demoFiles } from '../../report/demo-page.ts'
import { formatCount, formatSeconds } from '../../report/format.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import type { DemoResult } from '../demo/demo.ts'
import { markOption, positiveNumber, wholeNumber } from '../options.ts'
import { commandLine } from '../process.ts'

interface DemoFlags {
  readonly out: string
  readonly minutes: number
  readonly seed: number
  readonly mark: boolean
  readonly force?: true
}

const defaults = { out: 'pantin-demo', minutes: 2, seed: 0 } as const

export const addDemo: AddCommand = (program, call) => {
  const command = program
    .command('demo')
    .summary('move a portrait and a puppet, and train on one clip')
    .description(
      'Moves a portrait and a paper puppet that no starter has seen, and writes a page that shows them. Then trains the starter for faces further on one clip, and adds the difference to the page.',
    )
    .option('-o, --out <folder>', 'folder to write', defaults.out)
    .option('--minutes <m>', 'training time in minutes', positiveNumber('--minutes'), defaults.minutes)
    .option(
      '--seed <n>',
      'other numbers choose other people and puppets',
      wholeNumber('--seed'),
      defaults.seed,
    )
    .option(...markOption)
    .option('--force', 'replace an existing demo')
  withCommonFlags(command).action(call(runDemo))
}

async function runDemo({ reporter, signal }: Context, flags: DemoFlags): Promise<void> {
  const { demo } = await import('../demo/demo.ts')
  await reporter.prepare()
  const made = await demo({ ...flags, force: flags.force ?? false, signal, reporter })
  reporter.result(made, () => describeDemo(made, ['pantin', 'demo', ...given(flags)]))
}

/** The options that differ from their defaults. */
function given(flags: DemoFlags): string[] {
  const names = ['out', 'minutes', 'seed'] as const
  const values = names.flatMap((name) =>
    flags[name] === defaults[name] ? [] : [`--${name}`, String(flags[name])],
  )
  return [...values, ...(flags.mark ? [] : ['--no-mark'])]
}

/** What to print at the end. @param words the command that made the demo, without `--force` */
export function describeDemo(made: DemoResult, words: readonly string[]): string {
  const { out, page, steps, seconds, device, before, after } = made
  const took = `${formatCount(steps)} steps in ${formatSeconds(seconds)} on ${device}`
  if (before === undefined || after === undefined) {
    const run = steps === 0 ? '' : ` after ${took}; the run so far: ${join(out, demoFiles.run)}`
    return [
      `training was stopped${run}`,
      `look at ${page}`,
      `start again with: ${commandLine([...words, '--force'])}`,
    ].join('\n')
  }
  const { l1, psnr, still } = before
  return [
    `trained ${took}`,
    `frames that training did not see: L1 ${l1.toFixed(4)} before, ${after.l1.toFixed(4)} after ` +
      `(still picture ${still.l1.toFixed(4)}); PSNR ${psnr.toFixed(1)} dB, ${after.psnr.toFixed(1)} (${still.psnr.toFixed(1)})`,
    '',
    `look at ${page}`,
    'with your own picture: pantin animate face --source portrait.jpg --driving me.mp4 --out moved.mp4',
  ].join('\n')
}
