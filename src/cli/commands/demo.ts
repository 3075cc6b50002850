import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { positiveNumber, wholeNumber } from '../options.ts'

interface DemoFlags {
  readonly out: string
  readonly minutes: number
  readonly seed: number
  readonly force?: true
}

const defaults = { out: 'pantin-demo', minutes: 3, seed: 42 } as const

/** `pantin demo`: the main job from end to end, on puppets. */
export const addDemo: AddCommand = (program, call) => {
  const command = program
    .command('demo')
    .summary('train on puppets and watch a still one move')
    .description('Trains a motion model on paper puppets, then moves a puppet that it has never seen.')
    .option('-o, --out <folder>', 'where to put what it makes', defaults.out)
    .option('--minutes <m>', 'time to train', positiveNumber('--minutes'), defaults.minutes)
    .option('--seed <n>', 'another seed, other weights', wholeNumber('--seed'), defaults.seed)
    .option('--force', 'replace an earlier demo')
  withCommonFlags(command).action(call(runDemo))
}

async function runDemo({ reporter, signal }: Context, flags: DemoFlags): Promise<void> {
  const { demo, describeDemo } = await import('../demo/demo.ts')
  await reporter.prepare()
  const made = await demo({ ...flags, force: flags.force ?? false, signal, reporter })
  reporter.result(made, () => describeDemo(made, ['pantin', 'demo', ...given(flags)]))
}

/** The options that are not as they would be anyway. */
function given(flags: DemoFlags): string[] {
  const names = ['out', 'minutes', 'seed'] as const
  return names.flatMap((name) => (flags[name] === defaults[name] ? [] : [`--${name}`, String(flags[name])]))
}
