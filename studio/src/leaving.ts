// What is lost if somebody leaves the page: the browser asks first.
import { computed, effect } from '@preact/signals'
import * as animate from './animate/recording.ts'
import { rendering } from './animate/rendering.ts'
import * as train from './train/clips.ts'
import { isOnlyCopy, isReading } from './train/job.ts'

/** Whether the page has something that is nowhere else. */
const losesWork = computed(
  () =>
    animate.recordedSeconds.value !== undefined ||
    rendering.value !== undefined ||
    train.recordedSeconds.value !== undefined ||
    train.hasUnread.value ||
    isReading.value ||
    isOnlyCopy.value,
)

/** Has the browser ask before the page is left, as long as something would be lost. */
export function askBeforeLeaving(): void {
  const ask = (event: Event) => event.preventDefault()
  effect(() => {
    if (losesWork.value) addEventListener('beforeunload', ask)
    else removeEventListener('beforeunload', ask)
  })
}
