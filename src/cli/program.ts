// The command line as a whole: the commands, in the order in which help lists them.
import { Command } from 'commander'
import { version } from '../util/version.ts'
import { addAnimate } from './commands/animate.ts'
import { addBench } from './commands/bench.ts'
import { addCompare } from './commands/compare.ts'
import { addCompress } from './commands/compress.ts'
import { addDemo } from './commands/demo.ts'
import { addDistil } from './commands/distil.ts'
import { addDoctor } from './commands/doctor.ts'
import { addEval } from './commands/eval.ts'
import { addExport } from './commands/export.ts'
import { addImport } from './commands/import.ts'
import { addInfo } from './commands/info.ts'
import { addSearch } from './commands/search.ts'
import { addStudio, addWebAssets } from './commands/studio.ts'
import { addStudy } from './commands/study.ts'
import { addTrack } from './commands/track.ts'
import { addTrain } from './commands/train.ts'
import { addGather, addQueue, addWorker } from './commands/worker.ts'
import { callWith } from './context.ts'

/**
 * Makes the command line. Commands import their work when they are called, so that help and usage errors come at once.
 *
 * @param signal aborts when the user asks to stop
 */
export function createProgram(signal: AbortSignal): Command {
  const program = new Command('pantin')
    .description('Light keypoint detectors for motion driving: train, measure, animate, export.')
    .version(version)
    // This is set before commands are added, because they inherit it.
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'pantin: ')) })
    .showHelpAfterError('(--help lists the options)')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nA first look: pantin demo\nOn a video of yours: pantin train clip.mp4 --out runs/me`,
    )
  const call = callWith(signal)
  const adds = [
    addDemo,
    addTrain,
    addDistil,
    addEval,
    addAnimate,
    addTrack,
    addInfo,
    addCompare,
    addStudy,
    addSearch,
    addWorker,
    addQueue,
    addGather,
    addStudio,
    addWebAssets,
    addBench,
    addCompress,
    addImport,
    addExport,
    addDoctor,
  ]
  for (const add of adds) add(program, call)
  return program
}
