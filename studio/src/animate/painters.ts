// The workers that make the pictures of pulled strings. Many ops of a picture are too small for several threads, so that two
// workers with half of the threads each make more pictures than one worker.
import { Animator, type Square, type WebPlace, type WebRun } from 'pantin/web'

/** Workers besides the main one. Each has the model and its runtime in memory. */
const count = 2

export class Painters {
  private opening: Promise<readonly Animator[]> | undefined
  private ready: readonly Animator[] = []
  private calls = 0

  /** @param main paints as long as the others are not ready, and where they would gain nothing */
  constructor(
    private readonly main: Animator,
    private readonly run: WebRun,
    private readonly place: WebPlace,
  ) {}

  /** The workers that have the present picture; each can paint while the others do. */
  get all(): readonly Animator[] {
    return this.ready.length > 0 ? this.ready : [this.main]
  }

  /** Gives the workers a picture, once they are open. The main one has it already. */
  async prepare(picture: ImageBitmap, square: Square): Promise<void> {
    const call = ++this.calls
    this.ready = []
    const { device, threads } = this.main
    if (device !== 'cpu' || threads < count) return
    this.opening ??= openAll(this.run, { ...this.place, device, threads: Math.floor(threads / count) })
    try {
      const workers = await this.opening
      if (call !== this.calls) return
      await Promise.all(workers.map((worker) => worker.setSource(picture, { crop: square })))
      if (call === this.calls) this.ready = workers
    } catch {
      // The main one goes on alone: memory may be short, or another picture has come meanwhile.
    }
  }

  /** Ends the workers but for the main one. `prepare` opens them again. */
  close(): void {
    this.calls++
    this.ready = []
    this.opening?.then(closeAll, () => {})
    this.opening = undefined
  }
}

/** Opens all workers, or none. */
async function openAll(run: WebRun, place: WebPlace): Promise<readonly Animator[]> {
  const opened = await Promise.allSettled(Array.from({ length: count }, () => Animator.open(run, place)))
  const workers = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = opened.find((one) => one.status === 'rejected')
  if (failed === undefined) return workers
  closeAll(workers)
  throw failed.reason
}

function closeAll(workers: readonly Animator[]): void {
  for (const worker of workers) void worker.close()
}
