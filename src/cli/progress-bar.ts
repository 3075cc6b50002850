import { SingleBar } from 'cli-progress'
import { Clock, describeProgress, type ProgressEvent, type ProgressView, partDone } from './progress.ts'

/** A bar on the terminal's error stream, one for each phase of the work. */
export class ProgressBar implements ProgressView {
  private readonly clock = new Clock()
  private bar: SingleBar | undefined

  show(event: ProgressEvent): void {
    if (this.clock.begins(event)) this.end()
    const timed = this.clock.timed(event)
    if (this.bar === undefined) this.bar = startBar(timed)
    this.bar.update(partDone(timed), { event: timed })
  }

  end(): void {
    this.bar?.stop()
    this.bar = undefined
  }
}

function startBar(event: ProgressEvent): SingleBar {
  const bar = new SingleBar({
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
