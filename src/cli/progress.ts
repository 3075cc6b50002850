import { formatCount, formatSeconds } from '../report/format.ts'

/** Where a piece of work stands. */
export interface ProgressEvent {
  /** What is being done, in a word: `decode`, `train`, `animate`. */
  readonly phase: string
  readonly done: number
  /** Undefined where time and not a number decides the end. */
  readonly total?: number | undefined
  /** Part that is done, 0 to 1, where `total` does not say. */
  readonly progress?: number
  /** What `done` counts, in the plural. */
  readonly unit: string
  /** Units a second. */
  readonly rate?: number
  readonly etaSeconds?: number
  readonly loss?: number
  /** The device that is really used. */
  readonly device?: string
  /** Which of them is being worked on. */
  readonly now?: string
}

/** Something that shows progress. */
export interface ProgressView {
  show(event: ProgressEvent): void
  /** The work, or this part of it, is over: what was held back is shown now. */
  end(): void
}

/** Adds rate and time left where the work itself does not tell them, by the clock since the phase began. */
export class Clock {
  private phase = ''
  private began = 0
  private first = 0

  constructor(private readonly now: () => number = () => performance.now()) {}

  /** Whether this event is the first of its phase. */
  begins(event: ProgressEvent): boolean {
    if (event.phase === this.phase) return false
    this.phase = event.phase
    this.began = this.now()
    this.first = event.done
    return true
  }

  timed(event: ProgressEvent): ProgressEvent {
    const { phase, done, total, unit, ...rest } = event
    const seconds = (this.now() - this.began) / 1000
    const rate = event.rate ?? (done - this.first) / seconds
    if (!(rate > 0 && Number.isFinite(rate))) return { phase, done, total, unit, ...rest }
    const etaSeconds = event.etaSeconds ?? (total === undefined ? undefined : (total - done) / rate)
    const left = etaSeconds === undefined ? {} : { etaSeconds: round(etaSeconds) }
    return { phase, done, total, unit, ...rest, rate: round(rate), ...left }
  }
}

const round = (value: number) => Math.round(value * 100) / 100

/** Part of the work that is done, 0 to 1. */
export function partDone({ done, total, progress }: ProgressEvent): number {
  const part = progress ?? (total === undefined || total === 0 ? 0 : done / total)
  return Math.min(1, Math.max(0, part))
}

/** One JSON object a line, about one a second; the first and the last of each phase always. */
export class JsonLines implements ProgressView {
  private held: ProgressEvent | undefined
  private shownAt = Number.NEGATIVE_INFINITY
  private readonly clock: Clock

  constructor(
    private readonly write: (line: string) => void = (line) => process.stderr.write(line),
    private readonly now: () => number = () => performance.now(),
  ) {
    this.clock = new Clock(now)
  }

  show(event: ProgressEvent): void {
    const last = this.held
    const begins = this.clock.begins(event)
    if (begins && last !== undefined) this.print(last)
    const timed = this.clock.timed(event)
    if (begins || partDone(event) >= 1 || this.now() - this.shownAt >= 1000) this.print(timed)
    else this.held = timed
  }

  end(): void {
    if (this.held !== undefined) this.print(this.held)
  }

  private print(event: ProgressEvent): void {
    this.held = undefined
    this.shownAt = this.now()
    this.write(`${JSON.stringify(event)}\n`)
  }
}

/** `train  312/1008 steps  8.1/s  1 min 26 s left  loss 0.812  cpu`, without the bar. */
export function describeProgress(event: ProgressEvent): string {
  const { done, total, unit, rate, etaSeconds, loss, device, now } = event
  const counted = total === undefined ? formatCount(done) : `${formatCount(done)}/${formatCount(total)}`
  const parts = [`${counted} ${unit}`]
  if (rate !== undefined && rate > 0) parts.push(`${rate < 10 ? rate.toFixed(1) : Math.round(rate)}/s`)
  if (etaSeconds !== undefined) parts.push(`${formatSeconds(etaSeconds)} left`)
  if (loss !== undefined && Number.isFinite(loss)) parts.push(`loss ${loss.toFixed(4)}`)
  if (device !== undefined) parts.push(device)
  if (now !== undefined) parts.push(now)
  return parts.join('  ')
}
