// Work whose result several test files use. The first file that asks for it does it; the others wait for the result.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { inject } from 'vitest'
import type { TrainOptions } from '../../src/train/train.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A folder of this run of the tests. It is made and removed in `global-setup.ts`. */
    sharedFolder: string
  }
}

/**
 * Makes a folder once per run of the tests, whichever file asks first. Nobody may write to it afterwards.
 *
 * @param name of the folder; the same name always stands for the same content.
 * @param make fills the folder.
 * @returns the folder's path
 */
export async function shared(name: string, make: (folder: string) => unknown): Promise<string> {
  const folder = join(inject('sharedFolder'), name)
  const [ready, failed] = [`${folder}.ready`, `${folder}.failed`]
  if (isFirst(folder)) {
    try {
      await make(folder)
      writeFileSync(ready, '')
    } catch (error) {
      writeFileSync(failed, String(error))
      throw error
    }
  }
  while (!existsSync(ready)) {
    if (existsSync(failed)) throw new Error(`${name}: ${readFileSync(failed, 'utf8')}`)
    await wait(50)
  }
  return folder
}

/** To make a folder succeeds once, whatever the number of processes that try. */
function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A run of 3 steps of the smallest model, copied to a new folder. */
export async function makeRun(path: string): Promise<void> {
  const run = await shared('run-of-3-steps', async (folder) => {
    await trainTiny('puppet:3,frames=8,size=32', {
      batch: 1,
      logEvery: 1,
      steps: 3,
      out: join(folder, 'run'),
    })
  })
  cpSync(join(run, 'run'), path, { recursive: true })
}

/** A run of 40 steps of the smallest model: its keypoints follow the puppet a little. Not to be changed. */
export async function trainedRun(): Promise<string> {
  const folder = await shared('run-of-40-steps', async (made) => {
    await trainTiny('puppet:3,frames=24,size=48', { batch: 2, steps: 40, seed: 7, out: join(made, 'run') })
  })
  return join(folder, 'run')
}

/** Loaded here, so that the tests that only pack a file do not load training. */
async function trainTiny(clip: string, options: Omit<TrainOptions, 'model' | 'device'>): Promise<void> {
  const { train } = await import('../../src/train/train.ts')
  const { tinyModel } = await import('../train/tiny.ts')
  await train(clip, { model: tinyModel(), device: 'cpu', ...options })
}

/** The studio's pages, built from the present sources. Not to be changed. */
export async function studioSite(): Promise<string> {
  const folder = await shared('studio-site', async (made) => {
    const { build } = await import('vite')
    const site = join(made, 'site')
    await build({
      configFile: 'studio/vite.config.ts',
      mode: 'source',
      logLevel: 'error',
      build: { outDir: site, emptyOutDir: true },
    })
  })
  return join(folder, 'site')
}
