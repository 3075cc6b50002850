// Shared by tests that open models: a scratch folder, an untrained run, random keypoints.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { initialise, parametersOf } from '../../src/graph/ops/leaf.ts'
import type { Keypoints } from '../../src/model/keypoint-detector.ts'
import { smallConfig } from '../../src/motion/config.ts'
import { detectorGraph, generatorGraph } from '../../src/motion/model.ts'
import { createRun } from '../../src/run/run.ts'
import { Random } from '../../src/util/random.ts'

/** A folder for this file's tests, removed at their end; gives paths in it. */
export function scratch(): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), 'pantin-animate-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return (name) => join(folder, name)
}

/**
 * A run whose model was never trained: random weights, and jacobians that are near the identity. Without its
 * generator, the detector is the same.
 */
export async function randomRun(
  path: string,
  {
    size = 64,
    fit = 'crop',
    generator = true,
    kind = 'small',
  }: {
    readonly size?: number
    readonly fit?: 'crop' | 'letterbox'
    readonly generator?: boolean
    readonly kind?: 'small' | 'light'
  } = {},
): Promise<string> {
  const model = smallConfig({ net: 'lednet', size, keypoints: 5, generator: kind })
  const config = { model, training: { fit, clips: ['puppet:1'], holdout: 0.2 } }
  const run = await createRun(path, { config, version: '0.1.0' })
  const graphs = generator ? [detectorGraph(model), generatorGraph(model)] : [detectorGraph(model)]
  const parameters = graphs.flatMap(parametersOf)
  await run.saveWeights(initialise(parameters, new Random(7)))
  run.close()
  return path
}

/** K points and maps near the identity. */
export function randomKeypoints(seed: number, count = 6): Keypoints {
  const random = new Random(seed)
  const jacobian = [1, 0, 0, 1]
  return {
    value: Float32Array.from({ length: 2 * count }, () => random.between(-0.8, 0.8)),
    jacobian: Float32Array.from(
      { length: 4 * count },
      (_, i) => jacobian[i % 4]! + random.between(-0.3, 0.3),
    ),
  }
}

/** Keypoints whose points are scaled, and then moved by (dx, dy). */
export function movedKeypoints(
  { value, jacobian }: Keypoints,
  scale: number,
  dx: number,
  dy: number,
): Keypoints {
  return { value: value.map((v, i) => v * scale + (i % 2 === 0 ? dx : dy)), jacobian }
}
