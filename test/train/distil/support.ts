import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { train } from '../../../src/train/train.ts'
import { tinyModel } from '../tiny.ts'

/** The clip that teachers are trained on, and that they label. */
export const clip = 'puppet:3,frames=24,size=48'

/**
 * A folder with a trained teacher, for all tests of a file. It goes when they have run.
 *
 * @param steps of the teacher's training.
 */
export function withTeacher(steps: number) {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-distil-'))
  const teacher = join(folder, 'teacher')
  beforeAll(async () => {
    await train(clip, { out: teacher, model: tinyModel(), steps, batch: 2, device: 'cpu' })
  }, 240_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return {
    folder,
    teacher,
    /** The file of weights of a run in the folder. */
    weightsOf: (out: string) => readFile(join(folder, out, 'weights.safetensors')),
    /** The lines of metrics of a run in the folder. */
    metricsOf: async (out: string) =>
      (await readFile(join(folder, out, 'metrics.jsonl'), 'utf8'))
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown> & { preview?: Record<string, number> }),
  }
}
