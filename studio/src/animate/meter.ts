// Measures frames per second and the time of each stage.
import type { AnimatedPicture } from 'pantin/web'
import { type Speed, speed } from './state.ts'

const frames = 30
/** Milliseconds between two updates: nobody can read numbers that change with every frame. */
const showEvery = 400

/** Means over the last frames. */
export class Meter {
  private taken: { readonly at: number; readonly stages: AnimatedPicture['milliseconds'] }[] = []
  private shownAt = 0

  add(stages: AnimatedPicture['milliseconds']): void {
    const at = performance.now()
    this.taken = [...this.taken, { at, stages }].slice(-frames)
    if (this.taken.length < 2 || at - this.shownAt < showEvery) return
    this.shownAt = at
    speed.value = this.mean()
  }

  /** Starts again after a pause, which must not count. */
  restart(): void {
    this.taken = []
  }

  private mean(): Speed {
    const of = (stage: keyof AnimatedPicture['milliseconds']) =>
      this.taken.reduce((sum, { stages }) => sum + stages[stage], 0) / this.taken.length
    const seconds = (this.taken.at(-1)!.at - this.taken[0]!.at) / 1000
    return {
      framesPerSecond: (this.taken.length - 1) / seconds,
      prepare: of('prepare'),
      detect: of('detect'),
      generate: of('generate'),
      show: of('show'),
    }
  }
}
