// The pictures of pulled strings. Each one is asked for while the one before it is drawn, so that the worker never waits.
import type { Animator, Pose, PosedPicture } from 'pantin/web'
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

export class PulledPictures {
  private asked: Asked | undefined
  private last: unknown
  private drops = 0

  /** @param pastes whether a picture that is asked for now is a whole one */
  constructor(
    private readonly animator: Animator,
    private readonly pastes: () => boolean,
  ) {}

  /**
   * The picture of how the strings are pulled.
   *
   * @param plays whether kept poses are played
   * @returns undefined if this picture was given before
   */
  async next(plays: boolean): Promise<PulledPicture | undefined> {
    const asked = this.asked ?? this.ask(plays)
    this.asked = undefined
    if (asked === undefined) return undefined
    const { answer, ...what } = asked
    const { drops } = this
    const made = await answer
    // Meanwhile strings may have been left for a video, or tied to another picture.
    if (drops === this.drops) this.asked = this.ask(plays)
    return { ...what, ...made }
  }

  /** The next picture is given, even if the strings are as before. */
  again(): void {
    this.last = undefined
  }

  /** Nobody takes the picture that is being made. The next one is given, even if the strings are as before. */
  drop(): void {
    this.drops++
    this.again()
    this.asked?.answer.then(({ frame }) => frame.close()).catch(() => {})
    this.asked = undefined
  }

  private ask(plays: boolean): Asked | undefined {
    const pull = plays ? puppetry.pullAt(performance.now()) : puppetry.pullNow()
    const [pose, aimed] = [puppetry.placed(pull), puppetry.aimed(pull)]
    if (pose === undefined || aimed === undefined || pull === this.last) return undefined
    this.last = pull
    const paste = this.pastes()
    const answer = this.animator.pose(aimed, { paste })
    // A failure is told to the one who takes the picture.
    answer.catch(() => {})
    return { pose, paste, answer }
  }
}
