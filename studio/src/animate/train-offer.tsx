// Offers a training if no head is found in the picture or in what drives: a model of one's own needs none.
import { go } from '../core/router.ts'
import { chosenRun, starterOf } from '../core/runs.ts'
import { addFiles, begunWith } from '../train/clips.ts'
import { driving, drivingFace, framing } from './state.ts'

export function TrainOffer() {
  const missing = [
    framing.value === 'none' && 'the picture',
    drivingFace.value === 'none' && 'what drives it',
  ]
  const where = missing.filter(Boolean).join(' and ')
  // A model of one's own may know no heads at all.
  if (where === '' || starterOf(chosenRun.value) === undefined) return null
  const { value: choice } = driving
  const begin = () => {
    if (choice.kind === 'video') addFiles([choice.file])
    begunWith.value = ''
    go('train')
  }
  return (
    <div class="row offer" role="status">
      <p class="note">
        No head was found in {where}. A model that is trained on one clip moves what the clip shows.
      </p>
      <button type="button" onClick={begin}>
        {choice.kind === 'video' ? 'Train one on this clip' : 'Train one on a clip'}
      </button>
    </div>
  )
}
