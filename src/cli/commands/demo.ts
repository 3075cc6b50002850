// `pantin demo`: the main job from end to end, on puppets.
import { join } from 'node:path'
import { demoFiles } from '../../report/demo-page.ts'
import { formatCount, formatSeconds } from '../../report/format.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import type { DemoResult } from '../demo/demo.ts'
import { positiveNumber, wholeNumber } from '../options.ts'
import { commandLine } from '../process.ts'

interface DemoFlags {
  readonly out: string
  readonly minutes: number
  readonly seed: number
  readonly force?: true
}

const defaults = { out: 'pantin-demo', minutes: 3, seed: 42 } as const

export const addDemo: AddCommand = (program, call) => {
  const command = program
    .command('demo')
    .summary('train on paper puppets and animate one')
    .description(
      'Trains a motion model on paper puppets, then animates a puppet that the model has never seen, and writes a page with the result.',
    )
    .option('-o, --out <folder>', 'folder to write', defaults.out)
    .option('--minutes <m>', 'training time in minutes', positiveNumber('--minutes'), defaults.minutes)
    .option('--seed <n>', 'seed of the puppets and the weights', wholeNumber('--seed'), defaults.seed)
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
  return names.flatMap((name) => (flags[name] === defaults[name] ? [] : [`--${name}`, String(flags[name])]))
}

/** What to print at the end. @param words the command that made the demo, without `--force` */
export function describeDemo(made: DemoResult, words: readonly string[]): string {
  const { out, page, steps, seconds, device, interrupted, strangers } = made
  const took = `${formatCount(steps)} steps in ${formatSeconds(seconds)} on ${device}`
  if (interrupted || strangers === undefined) {
    return [
      `stopped after ${took}; the run so far: ${join(out, demoFiles.run)}`,
      `start again with: ${commandLine([...words, '--force'])}`,
    ].join('\n')
  }
  const { l1, psnr, still } = strangers
  return [
    `trained ${took}`,
    `puppets never seen: L1 ${l1.toFixed(4)} (still picture ${still.l1.toFixed(4)}), ` +
      `PSNR ${psnr.toFixed(1)} dB (${still.psnr.toFixed(1)})`,
    '',
    `look at ${page}`,
    `or at   ${join(out, demoFiles.moved)} and ${join(out, demoFiles.sheet)}`,
  ].join('\n')
}
