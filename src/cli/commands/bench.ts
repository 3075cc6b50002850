// `pantin bench [part]`: measures the figures that pantin claims. The measurements are in bench/, beside the package.
import { Argument } from 'commander'
import { cropForm } from '../../faces/box.ts'
import { EnvironmentError } from '../../util/errors.ts'
import {
  type BenchFlags,
  checkBenchFlags,
  growthNames,
  type PartChoice,
  partNames,
  partsOfClips,
} from '../bench-parts.ts'
import { type AddCommand, type Context, withCommonFlags } from '../context.ts'
import { deviceOptionOf, fraction, positiveNumber, wholeNumber } from '../options.ts'

const description = `Measures the figures that pantin claims, each beside the figure that it is compared with.
This command needs a clone of the repository: the npm package does not contain the measurements.

  step       the training step beside PyTorch's: time and memory
  detector   the published keypoint detector, the same rewritten exactly, and pantin's own, at 256x256
  real-time  tracking and animating from file to file, latency of a camera's frame, start of training
  browser    step and detectors on WebAssembly, in a Chromium without a window
    growth     time against batch, size, keypoints, replicas and length of clips
  faces      bench faces RUN VIDEO...: how well a model moves the first frames of real clips of faces. It
             compares results with true frames as pictures and by the landmarks of MediaPipe's networks
  quality    bench quality VIDEO [-- OPTIONS OF TRAIN]: minutes of training until the L1 of held-out frames is 0.6
             of the still picture's, beside the published model in PyTorch
  compress   bench compress [RUN...]: size, time and keypoints of detectors in eight bits, beside ONNX Runtime's
             own quantiser. Without a run, five networks learn first, for a few steps

All parts but faces, quality and compress together take about eight minutes on two idle cores. A figure that misses its target is reported as not reached.`

export const addBench: AddCommand = (program, call) => {
  const command = program
    .command('bench')
    .summary('measure the figures that pantin claims (from a clone)')
    .description(description)
    .addArgument(
      new Argument('[part]', 'the part to measure')
        .choices(['all', ...partNames, ...partsOfClips])
        .default('all'),
    )
    .argument(
      '[run-and-videos...]',
      'faces: a run, and videos of faces or folders of them; quality: a video, and after -- options of train; compress: runs',
    )
    .option('--csv <file>', 'also write the figures as CSV')
    .option('--plot <file.svg>', 'growth: also draw the series')
    .option(
      '--rounds <n>',
      'number of timed runs of each figure (default: depends on the part, 3 to 50)',
      wholeNumber('--rounds', { min: 1, max: 10_000 }),
    )
    .option(
      '--threads <n>',
      'number of CPU threads within one op (default: one for each core; compress: 1)',
      wholeNumber('--threads', { min: 1, max: 1024 }),
    )
    .option(
      '--python <program>',
      "step, quality: a Python with PyTorch, whose step or training is measured in turn with pantin's; compress: one with onnxruntime and onnx",
    )
    .option(
      '--nets <names>',
      'step: networks joined by commas, each with a generator and a size if it is not small:64 (default: ficelle,lednet,' +
        'erfnet,esnet,hourglass,ficelle:light:128,ficelle:light:256); compress: names alone (default: ficelle,lednet,' +
        'erfnet,esnet,hourglass)',
    )
    .option('--series <names>', `growth: series, joined by commas (default: ${growthNames.join(',')})`)
    .option(
      '--minutes <n>',
      'real-time: also train on a clip of this length and watch the memory (60 takes about ten minutes)',
      wholeNumber('--minutes', { min: 1, max: 600 }),
    )
    .option(
      '--keep <folder>',
      'detector: write published.onnx, exact.onnx and light.onnx to this folder; quality: keep the run and the frames here; compress: the runs, the ONNX files, and what was measured of each',
    )
    .option(
      '--target <part>',
      "quality: part of the still picture's L1 to reach (default: 0.6)",
      fraction('--target'),
    )
    .option(
      '--limit <minutes>',
      'quality: minutes of steps after which a training is given up (default: 60)',
      positiveNumber('--limit'),
    )
    .option(
      '--interval <seconds>',
      "quality: seconds of pantin's steps between evaluations (default: 15); the peer's are four times as long",
      positiveNumber('--interval'),
    )
    .option('--from <part>', 'faces: where in each video to begin, 0 to 1 (default: 0)', fraction('--from'))
    .option(
      '--every <n>',
      'faces: compare every n-th frame (default: 4)',
      wholeNumber('--every', { min: 1, max: 1000 }),
    )
    .option('--crop <square>', `faces: ${cropForm} (default: face)`)
    .option('--out <folder>', 'faces: write a sheet of each video, driving frames above results')
    .option(
      '--clips <names>',
      'compress: videos joined by commas, to calibrate and to measure on (default: puppet:1,puppet:2,puppet:3)',
    )
    .option(
      '--steps <n>',
      'compress: steps that a network learns before it is measured (default: 60)',
      wholeNumber('--steps', { min: 1, max: 1_000_000 }),
    )
    .option(
      '--rounded-steps <n>',
      'compress: steps of training with rounding, for one more form in eight bits (default: 0, no such form)',
      wholeNumber('--rounded-steps', { min: 0, max: 1_000_000 }),
    )
    .addOption(deviceOptionOf('cpu'))
    .option('--force', 'replace existing files')
  withCommonFlags(command).action(call(runBench))
}

async function runBench(
  context: Context,
  choice: PartChoice,
  named: readonly string[],
  flags: BenchFlags,
): Promise<void> {
  checkBenchFlags(choice, named, flags)
  const { bench } = await loadBench()
  await bench(context, choice, named, flags)
}

/** Loads the measurements, where they are. @throws EnvironmentError in an installed package. */
async function loadBench() {
  try {
    return await import('../../../bench/src/run.ts')
  } catch (error) {
    if (!isMissing(error)) throw error
    throw new EnvironmentError(
      {
        what: 'pantin bench needs a clone of the repository',
        got: 'an installed package, which does not contain the measurements',
        remedy: 'clone the repository, run npm ci && npm run build there, then npx pantin bench',
      },
      { cause: error },
    )
  }
}

/** Whether the module itself was not found, as opposed to a module that it imports. */
const isMissing = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  error.code === 'ERR_MODULE_NOT_FOUND' &&
  /bench[\\/](dist|src)[\\/]run\.[jt]s' imported from/.test(error.message)
