// The devices of this machine, and whether ONNX Runtime can use them.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import * as ort from 'onnxruntime-node'
import { Graph } from '../graph/graph.ts'
import { constant, input } from '../graph/ops/leaf.ts'
import { matmul } from '../graph/ops/linear.ts'
import { dequantise, fakeQuantise } from '../graph/ops/quantise.ts'
import { relu } from '../graph/ops/unary.ts'
import { floats } from '../graph/tensor.ts'
import { toOnnx } from '../onnx/export.ts'
import { EnvironmentError } from '../util/errors.ts'
import { tidy } from './ort.ts'
import type { Device } from './session.ts'

// Since 1.29, ONNX Runtime on Linux and macOS tells its maker which models run, and writes an identifier of the machine,
// unless this is set before the first session. The main thread must set it: other threads have a copy of the variables.
process.env.ORT_DISABLE_TELEMETRY ??= '1'

/** A device as `pantin doctor` shows it. */
export interface DeviceReport {
  /** The device. */
  readonly device: Device
  /** Whether it can be used here. */
  readonly available: boolean
  /** Why it is not there, in the runtime's words; empty if it is. */
  readonly detail: string
}

/**
 * What this machine can compute on. Each device except the CPU is tried in its own process, since a broken
 * driver may take its process down; that takes about half a second the first time.
 */
export async function describeDevices(): Promise<DeviceReport[]> {
  const others = await Promise.all([probe('webgpu'), probe('cuda')])
  return [{ device: 'cpu', available: true, detail: '' }, ...others]
}

/** @throws EnvironmentError if a device that is named cannot be used here. */
export async function requireDevice(device: Device | 'auto'): Promise<void> {
  if (device === 'cpu' || device === 'auto') return
  const { available, detail } = await probe(device)
  if (available) return
  throw new EnvironmentError({
    what: `the device "${device}" is not there`,
    got: detail,
    remedy: `${remedies[device]}; or choose the device "cpu"`,
  })
}

const remedies = {
  webgpu: 'install a driver for your GPU that knows Vulkan (Linux), Metal (macOS) or Direct3D 12 (Windows)',
  cuda: "install CUDA 12 and cuDNN 9, and run onnxruntime-node's install script with --onnxruntime-node-install=cuda12",
}

/**
 * The best device: a GPU in hardware if there is one and it works, else the CPU. A software adapter is slower than the
 * CPU, and is used only if it is named.
 */
export async function bestDevice(): Promise<Device> {
  if (!hasGpu()) return 'cpu'
  for (const device of ['cuda', 'webgpu'] as const) if ((await probe(device)).available) return device
  return 'cpu'
}

/**
 * Whether this processor sums products of eight bits exactly, as processors with VNNI or its like do. Others sum pairs of
 * products in 16 bits, which hold no two products of 255 and 127. It is tried once, and takes some milliseconds.
 */
export function hasExactEightBitSums(): Promise<boolean> {
  exactSums ??= tryEightBitSums()
  return exactSums
}

let exactSums: Promise<boolean> | undefined

async function tryEightBitSums(): Promise<boolean> {
  const depth = 64
  const graph = new Graph()
  const number = (value: number) => constant(graph, floats([value], []))
  const x = fakeQuantise(input(graph, 'x', 'float32', [1, depth]), number(1))
  const weights = { dtype: 'int8', shape: [depth, 16], data: new Int8Array(16 * depth).fill(127) } as const
  const sums = matmul(x, dequantise(constant(graph, weights), number(1)))
  graph.output('y', fakeQuantise(sums, number(10_000)))
  const session = await ort.InferenceSession.create(toOnnx(graph), { logSeverityLevel: 4 })
  const fed = new ort.Tensor('float32', new Float32Array(depth).fill(255), [1, depth])
  const { y } = await session.run({ x: fed }, { logSeverityLevel: 4 })
  await session.release()
  const exact = Math.round((255 * 127 * depth) / 10_000) * 10_000
  return (y!.data as Float32Array).every((sum) => sum === exact)
}

/** Whether the machine shows signs of a GPU. macOS and Windows machines are taken to have one. */
function hasGpu(): boolean {
  if (process.platform !== 'linux') return true
  if (existsSync('/dev/nvidia0')) return true
  return existsSync('/dev/dri') && readdirSync('/dev/dri').some((name) => name.startsWith('renderD'))
}

const probes = new Map<Device, Promise<DeviceReport>>()

function probe(device: Device): Promise<DeviceReport> {
  const known = probes.get(device) ?? tryDevice(device)
  probes.set(device, known)
  return known
}

/** Creates and runs a session in a child process, which prints its error, or nothing if the device works. */
function tryDevice(device: Device): Promise<DeviceReport> {
  const runtime = createRequire(import.meta.url).resolve('onnxruntime-node')
  const model = Buffer.from(tinyModel()).toString('base64')
  const script = `
    const ort = require(${JSON.stringify(runtime)})
    ort.env.logLevel = 'fatal'
    const feed = { x: new ort.Tensor('float32', Float32Array.of(-1, 2), [2]) }
    ort.InferenceSession.create(Buffer.from('${model}', 'base64'), { executionProviders: ['${device}'], logSeverityLevel: 4 })
      .then((session) => session.run(feed))
      .then(({ y }) => { if (y.data[1] !== 2) throw new Error('it computes wrong results') })
      .catch((error) => { console.log(error.message) })
  `
  return new Promise((resolve) => {
    execFile(process.execPath, ['-e', script], { timeout: 30_000 }, (error, stdout) => {
      const said = tidy(stdout)
      const detail =
        said !== '' ? said : error === null ? '' : `trying it ended with ${error.signal ?? error.code}`
      resolve({ device, available: detail === '', detail })
    })
  })
}

function tinyModel(): Uint8Array {
  const graph = new Graph()
  graph.output('y', relu(input(graph, 'x', 'float32', [2])))
  return toOnnx(graph)
}
