// The pictures of pulled strings. Each one is asked for before the last one is drawn, so that workers never wait.
import type { Pose, PosedPicture } from 'pantin/web'
import type { Painters } from './painters.ts'
import * as puppetry from './puppetry.ts'

/** A picture that is being made. */
interface Asked {
  /** Where the keypoints are put. */
  readonly pose: Pose
  /** Whether the moved square is put back into the whole picture. */
  readonly paste: boolean
  readonly answer: Promise<PosedPicture>
}

/** A picture that was made. The caller closes its frame. */
export type PulledPicture = Omit<Asked, 'answer'> & PosedPicture

/** Least milliseconds between two looks whether strings were pulled on, while a picture is made. */
const shortest = 4

export class PulledPictures {
  /** Pictures that are being made, the oldest first, but for the one that a call waits for. */
  private asked: Asked[] = []
  private isAwaited = false
  private last: unknown
  private drops = 0
  private turn = 0
  /** When the last picture was asked for, and how long one took, in milliseconds. */
  private askedAt = 0
  private took = 0

  /** @param pastes whether a picture that is asked for now is a whole one */
  constructor(
    private readonly painters: Painters,
    private readonly pastes: () => boolean,
  ) {}

  /**
   * The picture of how the strings are pulled. Calls do not overlap.
   *
   * @param plays whether kept poses are played
   * @returns undefined if this picture was given before
   */
  async next(plays: boolean): Promise<PulledPicture | undefined> {
    if (this.asked.length === 0) this.ask(plays)
    const first = this.asked.shift()
    if (first === undefined) return undefined
    const { answer, ...what } = first
    const { drops } = this
    this.isAwaited = true
    try {
      await this.askMeanwhile(answer, plays)
      return { ...what, ...(await answer) }
    } finally {
      this.isAwaited = false
      // Meanwhile strings may have been left for a video, or tied to another picture.
      if (drops === this.drops && (this.asked.length === 0 || this.mayAsk)) this.ask(plays)
    }
  }

  /** The next picture is given, even if the strings are as before. */
  again(): void {
    this.last = undefined
  }

  /** Nobody takes the pictures that are being made. The next one is given, even if the strings are as before. */
  drop(): void {
    this.drops++
    this.again()
    for (const { answer } of this.asked) answer.then(({ frame }) => frame.close()).catch(() => {})
    this.asked = []
  }

  /** Strings may be pulled on before a picture is made. Workers begin one after the other, so that pictures come evenly. */
  private async askMeanwhile(answer: Promise<PosedPicture>, plays: boolean): Promise<void> {
    const { drops } = this
    let isMade = false
    const made = answer.then(
      () => (isMade = true),
      () => (isMade = true),
    )
    while (!isMade && drops === this.drops) {
      if (this.mayAsk) this.ask(plays)
      const isBusy = this.making >= this.painters.all.length
      await (isBusy ? made : Promise.race([made, pause(Math.max(shortest, this.untilTurn))]))
    }
  }

  private get making(): number {
    return this.asked.length + (this.isAwaited ? 1 : 0)
  }

  /** Milliseconds until the next worker should begin. */
  private get untilTurn(): number {
    return this.askedAt + this.took / this.painters.all.length - performance.now()
  }

  private get mayAsk(): boolean {
    return this.making < this.painters.all.length && this.untilTurn <= 0
  }

  private ask(plays: boolean): void {
    const now = performance.now()
    const pull = plays ? puppetry.pullAt(now) : puppetry.pullNow()
    if (pull === this.last) return
    const [pose, aimed] = [puppetry.placed(pull), puppetry.aimed(pull)]
    if (pose === undefined || aimed === undefined) return
    this.last = pull
    this.askedAt = now
    const paste = this.pastes()
    const painters = this.painters.all
    const answer = painters[this.turn++ % painters.length]!.pose(aimed, { paste })
    // A failure is told to the one who takes the picture.
    answer.then(() => (this.took = performance.now() - now)).catch(() => {})
    this.asked.push({ pose, paste, answer })
  }
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds))
