// The part `browser`: the training step and the detectors on WebAssembly, in a Chromium.
import { floats } from '../../src/graph/tensor.ts'
import { type Latency, type Sampler, sampleInTurn, timeOnce } from '../../src/profile/latency.ts'
import { EnvironmentError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { type BrowserOptions, type BrowserServer, withBrowser } from './browser-server.ts'
import { carriedState, lednetStep, NativeStep } from './browser-step.ts'
import { type DetectorForm, detectorFrameSize, detectorModels } from './detector-models.ts'
import type { Figure } from './figure.ts'

export type BrowserPart = 'step' | 'detectors'

export interface BrowserFiguresOptions extends BrowserOptions {
  /** The figures to measure (default: all). */
  readonly parts?: readonly BrowserPart[]
  /** Number of threads, in the browser and in Node (default 2). */
  readonly threads?: number
  /** Number of timed runs of each figure (default: as many as fit `budgetSeconds`, 3 to 50). */
  readonly rounds?: number
  /** Seconds that the timed runs of each part may take (default 60). */
  readonly budgetSeconds?: number
  readonly signal?: AbortSignal
  onRun?(done: number, total: number): void
}

/** Target: the step in the browser takes at most this many times the native step's time. */
const stepTarget = 2.5
/** Targets: how many times faster than the published detector. */
const detectorTargets: Readonly<Record<Exclude<DetectorForm, 'published'>, number>> = {
  exact: 1.7,
  light: 10,
}

/** Browsers compile WebAssembly quickly at first and optimise it while it runs: steps and milliseconds until that is done. */
const [stepWarmUp, restMs, warmMs] = [4, 50, 50]
const detectorWarmUp = 30

/**
 * Largest relative difference between the losses of one step: float32 sums in another order. The gradient's norm, which
 * is reported beside the losses, is a hundred times more sensitive to rounding, also within Node. It is not compared.
 */
const lossTolerance = 1e-3

/**
 * Times the training step of LEDNet's preset on WebAssembly, in turn with the same bytes on Node's CPU provider,
 * then the three detectors on WebAssembly.
 *
 * @throws EnvironmentError if there is no Chromium, if it fails, or if it computes other losses than Node.
 */
export async function browserFigures(options: BrowserFiguresOptions = {}): Promise<Figure[]> {
  const { parts = ['step', 'detectors'] } = options
  return withBrowser({ gpu: 'none', ...options }, async (server) => [
    ...(parts.includes('step') ? [await stepFigure(server, options)] : []),
    ...(parts.includes('detectors') ? await detectorFigures(server, options) : []),
  ])
}

async function stepFigure(server: BrowserServer, options: BrowserFiguresOptions): Promise<Figure> {
  const { threads = 2 } = options
  const model = lednetStep()
  const native = await NativeStep.create(model, threads)
  try {
    const { userAgent } = await server.ask({
      kind: 'load',
      session: 'step',
      device: 'cpu',
      threads,
      model: server.offer(model.onnx),
      feeds: server.offerTensors({ ...model.feeds, ...model.state }),
      carried: carriedState,
    })
    const difference = await compareLosses(server, native, model.reports)
    const { rounds, latencies } = await sampleInTurn(
      [sampleHere(native), sampleThere(server, 'step')],
      latencyOptions(options),
    )
    const [here, there] = latencies as [Latency, Latency]
    await server.ask({ kind: 'close', session: 'step' })
    return {
      name: 'step.lednet.wasm',
      value: there.median,
      unit: 'ms',
      peer: {
        name: `the same bytes on onnxruntime-node's CPU provider, ${threads} threads`,
        value: here.median,
      },
      ratio: there.median / here.median,
      target: { atMost: stepTarget },
      how: [
        `training step, batch ${model.batch}, ${model.size}x${model.size}, float32, ${threads} threads each`,
        `medians of ${rounds} rounds in turn (least ${there.min.toFixed(0)} and ${here.min.toFixed(0)} ms)`,
        `losses of ${stepWarmUp} steps agree to ${difference.toExponential(0)}`,
        browserName(userAgent),
      ].join('; '),
    }
  } finally {
    await native.close()
  }
}

/** Takes a few steps on both sides. @returns the largest difference of losses. @throws EnvironmentError if it is too large */
async function compareLosses(
  server: BrowserServer,
  native: NativeStep,
  reports: readonly string[],
): Promise<number> {
  let difference = 0
  for (let i = 0; i < stepWarmUp; i++) {
    const { outputs } = await server.ask({ kind: 'run', session: 'step' })
    const [there, here] = [outputs.losses!, await native.run()]
    for (const [term, name] of reports.entries()) {
      if (name === 'gradientNorm') continue
      difference = Math.max(difference, relativeDifference(here[term]!, there[term]!))
    }
  }
  if (difference <= lossTolerance) return difference
  throw new EnvironmentError({
    what: 'the training step computes other losses in the browser than in Node',
    got: `${difference} apart, relatively`,
    expected: `${lossTolerance} at most`,
  })
}

async function detectorFigures(server: BrowserServer, options: BrowserFiguresOptions): Promise<Figure[]> {
  const { threads = 2 } = options
  const models = await detectorModels({ target: 'wasm' })
  const feeds = server.offerTensors({ frame: testFrame() })
  let browser = ''
  for (const { form, onnx } of models) {
    const model = server.offer(onnx)
    const loaded = await server.ask({ kind: 'load', session: form, device: 'cpu', threads, model, feeds })
    browser = browserName(loaded.userAgent)
    for (let i = 0; i < detectorWarmUp; i++) await server.ask({ kind: 'run', session: form })
  }
  const { rounds, latencies } = await sampleInTurn(
    models.map(({ form }) => sampleThere(server, form)),
    latencyOptions(options),
  )
  for (const { form } of models) await server.ask({ kind: 'close', session: form })
  const published = latencies[models.findIndex(({ form }) => form === 'published')]!
  return models.map(({ form }, i) => {
    const { median, min } = latencies[i]!
    const figure = {
      name: `detector.${form}.wasm`,
      value: median,
      unit: 'ms' as const,
      how: `one frame of ${detectorFrameSize}x${detectorFrameSize}, float32, ${threads} threads; median of ${rounds} rounds in turn (least ${min.toFixed(1)} ms); ${browser}`,
    }
    if (form === 'published') return figure
    return {
      ...figure,
      peer: { name: 'the published detector, beside it', value: published.median },
      ratio: published.median / median,
      target: { atLeast: detectorTargets[form] },
    }
  })
}

function latencyOptions({ rounds, budgetSeconds = 60, signal, onRun }: BrowserFiguresOptions) {
  return {
    budgetSeconds,
    ...(rounds !== undefined && { rounds }),
    ...(signal && { signal }),
    ...(onRun && { onRun }),
  }
}

/** The worker measures the time itself, so that communication does not count. */
function sampleThere(server: BrowserServer, session: string): Sampler {
  return { sample: async () => (await server.ask({ kind: 'sample', session, restMs, warmMs })).ms }
}

function sampleHere(step: NativeStep): Sampler {
  return {
    async sample() {
      await new Promise((resolve) => setTimeout(resolve, restMs))
      return timeOnce(step, warmMs, () => performance.now())
    },
  }
}

function relativeDifference(a: number, b: number): number {
  return a === b ? 0 : Math.abs(a - b) / Math.max(Math.abs(a), Math.abs(b))
}

const browserName = (userAgent: string): string =>
  /(?:Headless)?Chrome\/[\d.]+/.exec(userAgent)?.[0].replace('Headless', '') ?? userAgent

function testFrame() {
  const random = new Random(3)
  const shape = [1, 3, detectorFrameSize, detectorFrameSize]
  return floats(
    Float32Array.from({ length: 3 * detectorFrameSize ** 2 }, () => random.between(0, 1)),
    shape,
  )
}
