// Progress on stderr: a bar on a terminal, JSON lines elsewhere.
import type { SingleBar } from 'cli-progress'
import { formatCount, formatSeconds } from '../report/format.ts'

/** The progress of a piece of work. */
export interface ProgressEvent {
  /** The name of this part of the work: `decode`, `train`, `animate`. */
  readonly phase: string
  readonly done: number
  /** Undefined if the work ends after a time and not after a number of units. */
  readonly total?: number | undefined
  /** Fraction that is done, 0 to 1, if there is no `total`. */
  readonly progress?: number
  /** The unit that `done` counts, in the plural. */
  readonly unit: string
  /** Units per second. */
  readonly rate?: number
  readonly etaSeconds?: number
  readonly loss?: number
  /** The device that is used. */
  readonly device?: string
  /** The unit that is being worked on. */
  readonly now?: string
}

/** Something that shows progress. */
export interface ProgressView {
  show(event: ProgressEvent): void
  /** The work, or this part of it, is over. Shows the last event, if it was held back. */
  end(): void
}

/** The view for this process. The bar's library is loaded only if there is a terminal. */
export async function progressView(): Promise<ProgressView> {
  if (!process.stderr.isTTY) return new JsonLines()
  const { SingleBar: Bar } = await import('cli-progress')
  return new ProgressBar(Bar)
}

/** Adds rate and remaining time to events that lack them, from the time since the phase began. */
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

/** Fraction of the work that is done, 0 to 1. */
export function partDone({ done, total, progress }: ProgressEvent): number {
  const part = progress ?? (total === undefined || total === 0 ? 0 : done / total)
  return Math.min(1, Math.max(0, part))
}

/** One JSON object per line, about one per second. The first and the last of each phase are always shown. */
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

/** The text beside the bar: `312/1008 steps  8.1/s  1 min 26 s left  loss 0.812  cpu`. */
function describeProgress(event: ProgressEvent): string {
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

/** A bar on the terminal's stderr, one for each phase of the work. */
class ProgressBar implements ProgressView {
  private readonly clock = new Clock()
  private bar: SingleBar | undefined

  constructor(private readonly Bar: typeof SingleBar) {}

  show(event: ProgressEvent): void {
    if (this.clock.begins(event)) this.end()
    const timed = this.clock.timed(event)
    if (this.bar === undefined) this.bar = startBar(this.Bar, timed)
    this.bar.update(partDone(timed), { event: timed })
  }

  end(): void {
    this.bar?.stop()
    this.bar = undefined
  }
}

function startBar(Bar: typeof SingleBar, event: ProgressEvent): SingleBar {
  const bar = new Bar({
    format: (_options, { progress }, payload: { event: ProgressEvent }) => line(progress, payload.event),
    stream: process.stderr,
    fps: 10,
  })
  bar.start(1, 0, { event })
  return bar
}

const width = 24

/** `train    ━━━━━━━━━━━━────────────  50%  312/624 steps  8.1/s  38 s left`. */
function line(part: number, event: ProgressEvent): string {
  const full = Math.round(part * width)
  const bar = '━'.repeat(full) + '─'.repeat(width - full)
  const percent = `${Math.floor(part * 100)}%`.padStart(4)
  return `${event.phase.padEnd(8)} ${bar} ${percent}  ${describeProgress(event)}`
}
