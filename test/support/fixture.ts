import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { ParameterInfo } from '../../src/graph/ops/leaf.ts'
import { floats, type Shape, sizeOf, type Tensor, tensor } from '../../src/graph/tensor.ts'

/**
 * Numbers of the published references: what they compute when every parameter is filled by a formula.
 * The fixtures lie beside the repository, so a test that needs one is skipped where they are missing.
 */

export interface StoredOutput {
  readonly shape: readonly number[]
  readonly stride: number
  /** Every stride-th element of the flattened output. */
  readonly values: readonly number[]
}

export interface Fixture {
  readonly network: string
  readonly input_shape: readonly number[]
  /** Number of trained parameters. */
  readonly parameters: number
  readonly state: readonly { readonly name: string; readonly shape: readonly number[] }[]
  readonly outputs: Readonly<Record<string, StoredOutput>>
}

const folder = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url))

/** @returns undefined where the fixture is not there. */
export function loadFixture(name: string): Fixture | undefined {
  const file = `${folder}${name}.json`
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Fixture) : undefined
}

/** A reference's state without its counters of batches, which no output depends on. */
export function stateOf(fixture: Fixture): { name: string; shape: readonly number[] }[] {
  return fixture.state.filter(({ name }) => !name.endsWith('num_batches_tracked'))
}

/** Fills parameters by the fixtures' formulas; `referenceName` maps our names to the reference's. */
export function fillByFormula(
  parameters: readonly ParameterInfo[],
  referenceName: (name: string) => string = (name) => name,
): Map<string, Tensor<'float32'>> {
  return new Map(
    parameters.map((info) => {
      const name = referenceName(info.name)
      if (name.endsWith('down.weight') && info.initial.kind === 'values') {
        return [info.name, info.initial.values]
      }
      return [info.name, formula(name, info.shape)]
    }),
  )
}

function formula(name: string, shape: Shape): Tensor<'float32'> {
  const seed = Array.from(name).reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 1000
  const value = waveform(name, shape)
  // Filled in place: a list of numbers first would take gigabytes for the largest networks.
  const data = new Float32Array(sizeOf(shape))
  for (let i = 0; i < data.length; i++) data[i] = value(Math.sin(i + seed))
  return tensor('float32', shape, data)
}

function waveform(name: string, shape: Shape): (wave: number) => number {
  if (name.endsWith('running_var')) return (wave) => 1 + 0.5 * wave ** 2
  if (name.endsWith('running_mean')) return (wave) => 0.1 * wave
  if (shape.length >= 2) {
    const scale = Math.sqrt(2 / sizeOf(shape.slice(1)))
    return (wave) => wave * scale
  }
  return name.endsWith('bias') ? (wave) => 0.05 * wave : (wave) => 1 + 0.1 * wave
}

/** The fixtures' input picture, in [0, 1]. */
export function formulaInput(shape: Shape): Tensor<'float32'> {
  return floats(
    Array.from({ length: sizeOf(shape) }, (_, i) => 0.5 + 0.5 * Math.sin(0.7 * i) * Math.cos(0.013 * i)),
    shape,
  )
}

/** Relative L2 error of a result at the elements that the fixture stored. */
export function relativeError(result: Tensor, { shape, stride, values }: StoredOutput): number {
  if (String(result.shape) !== String(shape)) {
    throw new Error(`the result has shape [${result.shape}], the fixture [${shape}]`)
  }
  let error = 0
  let norm = 0
  values.forEach((value, i) => {
    error += (Number(result.data[i * stride]) - value) ** 2
    norm += value ** 2
  })
  return Math.sqrt(error / norm)
}
