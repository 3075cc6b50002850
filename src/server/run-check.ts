// Checks a run that a page sent, in a process of its own: a network that takes a minute to build, or all memory, holds
// up no other request, and ends with its process.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { exists } from '../files/folders.ts'
import { readWhole } from '../files/read.ts'
import { readSafetensors } from '../formats/safetensors/safetensors.ts'
import { readPicture } from '../media/picture.ts'
import { openModel } from '../model/open-model.ts'
import { decodeCheckpoint } from '../run/checkpoint.ts'
import { readConfig } from '../run/config-file.ts'
import { readMetrics } from '../run/metrics-file.ts'
import { checkpointFile, environmentFile, metricsFile } from '../run/run-files.ts'
import { childTask } from '../util/child-process.ts'
import { EnvironmentError, FormatError, messageOf } from '../util/errors.ts'

/** Side of the largest frames of a run that is saved, in pixels. No model that pages train or show has larger ones. */
const mostPixels = 1024
/** Milliseconds that the check may take. Opening a usual run takes a second. */
const mostTime = 60_000
/** Bytes of env.json, which describes a machine. */
const mostEnvironment = 1 << 20

/**
 * Reads every file of a run folder as commands would, and opens its model.
 *
 * @throws InputError, FormatError for the first file that cannot be used.
 */
export async function examineRun(run: string): Promise<void> {
  const schema = z.looseObject({ model: z.looseObject({ size: z.number() }).optional() })
  const { config } = await readConfig(run, schema)
  if ((config.model?.size ?? 0) > mostPixels) {
    throw new FormatError({
      what: 'the frames of this run are too large to be saved here',
      got: `${config.model?.size} pixels a side`,
      expected: `at most ${mostPixels}`,
      remedy: 'download it, and unpack it by hand',
    })
  }
  await readMetrics(join(run, metricsFile))
  await examineEnvironment(join(run, environmentFile))
  const checkpoint = join(run, checkpointFile)
  if (await exists(checkpoint)) decodeCheckpoint(checkpoint, await readSafetensors(checkpoint))
  for (const name of await readdir(join(run, 'previews')).catch(() => [])) {
    await readPicture(join(run, 'previews', name))
  }
  await (await openModel(run, { device: 'cpu', rewrite: false })).close()
}

async function examineEnvironment(path: string): Promise<void> {
  if (!(await exists(path))) return
  const text = (await readWhole(path, 'a description of a machine', mostEnvironment)).toString('utf8')
  try {
    z.looseObject({}).parse(JSON.parse(text))
  } catch (error) {
    const got = messageOf(error).slice(0, 100)
    throw new FormatError({ what: 'not a description of a machine', where: path, got, expected: 'JSON' })
  }
}

/** `examineRun` in a process of its own. */
export const examineInChild = childTask(import.meta.url, ({ run }: { readonly run: string }) =>
  examineRun(run),
)

/**
 * `examineRun` in a process of its own, with a limit on its time.
 *
 * @throws as `examineRun`; FormatError if the process took too long, or ended by itself.
 */
export async function examineApart(run: string): Promise<void> {
  const signal = AbortSignal.timeout(mostTime)
  try {
    await examineInChild({ run }, { signal, onAbort: 'kill' })
  } catch (error) {
    if (!signal.aborted && !(error instanceof EnvironmentError)) throw error
    const got = signal.aborted ? `no end after ${mostTime / 1000} s` : messageOf(error)
    throw new FormatError({ what: 'the model of this run cannot be opened here', got }, { cause: error })
  }
}
