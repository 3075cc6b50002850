// The driving pose that stands for the picture's own: motion is told from it.
import type { Animator, Pose, Square } from 'pantin/web'
import type { Driving } from '../core/driving.ts'
import { complain } from '../core/messages.ts'
import { nearestFrame } from './matching.ts'
import * as state from './state.ts'

/** Chooses the reference of an animator, and tells it in `state.reference`. */
export class Reference {
  /** Counts searches: the last one counts. */
  private search = 0
  private isSearchDue = false

  /** @param changed is called when another reference counts, so that the present frame is shown by it */
  constructor(
    private readonly animator: Animator,
    private readonly changed: () => void,
  ) {}

  /** Takes the next frame, and looks at all of a clip for a better one. */
  start(): void {
    this.forget()
    this.animator.resetReference()
    this.isSearchDue = state.matches.peek() && state.motion.peek() === 'relative'
    this.changed()
  }

  /** Takes the pose that somebody chose. */
  choose(pose: Pose): void {
    this.end()
    this.isSearchDue = false
    state.reference.value = { kind: 'chosen', pose }
    this.animator.setReference(pose).catch(complain)
    this.changed()
  }

  /** Looks for a better one, or does without it, as `state.matches` says. What somebody chose stays. */
  reconsider(): void {
    const { kind } = state.reference.peek()
    if (kind === 'first' && state.matches.peek() && state.motion.peek() === 'relative')
      this.isSearchDue = true
    if (!state.matches.peek() && (kind === 'nearest' || kind === 'searched')) this.start()
    this.changed()
  }

  /** Begins again with the same one: a clip was rewound. */
  restart(): void {
    const { value: now } = state.reference
    if ('pose' in now) this.animator.setReference(now.pose).catch(complain)
    else this.animator.resetReference()
    this.changed()
  }

  /** Ends a search. */
  end(): void {
    this.search++
  }

  /** Something else drives, of which there is no frame yet. */
  forget(): void {
    this.end()
    this.isSearchDue = false
    state.reference.value = { kind: 'first' }
  }

  /**
   * Looks for the frame whose pose is nearest to the picture's, if that is due. The clip goes on meanwhile.
   *
   * @param crop the square of what drives; undefined for the one in the middle
   */
  seek(driving: Driving, crop: Square | undefined): void {
    if (!this.isSearchDue) return
    this.isSearchDue = false
    this.nearest(driving, crop).catch(complain)
  }

  private async nearest(driving: Driving, crop: Square | undefined): Promise<void> {
    const search = ++this.search
    const isLast = () => search === this.search
    state.reference.value = { kind: 'searched' }
    // A clip that cannot be read apart from its playing keeps its first frame.
    const found = await nearestFrame(this.animator, driving, crop, isLast).catch(() => undefined)
    if (!isLast()) return
    state.reference.value = found === undefined ? { kind: 'first' } : { kind: 'nearest', ...found }
    if (found === undefined) return
    await this.animator.setReference(found.pose)
    this.changed()
  }
}
