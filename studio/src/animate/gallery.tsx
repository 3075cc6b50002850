// Examples to begin with: a picture, what moves it, and the model that suits both, chosen by one click.
import { batch } from '@preact/signals'
import { starters } from 'pantin/web'
import { chosenRun, keyOf } from '../core/runs.ts'
import { subjectsOf, titleOf } from '../core/subjects.ts'
import { SubjectPicture } from '../ui/subject-button.tsx'
import { driving, drivingOf, picture, pictureOf } from './state.ts'

/** A model, and two of its subjects by their numbers: the picture, and what moves it. */
const pairs = [
  ['face', 1, 2],
  ['face', 3, 4],
  ['face-small', 4, 3],
  ['puppet', 1, 2],
  ['puppet', 3, 4],
] as const

const examples = pairs.map(([name, one, other]) => {
  const starter = starters.find((known) => known.name === name)!
  const subjects = subjectsOf(starter.subject)
  return { starter, still: subjects[one - 1]!, mover: subjects[other - 1]! }
})

/** Five examples. */
export function Gallery() {
  return (
    <section aria-labelledby="examples">
      <h2 id="examples">Examples</h2>
      <p class="note">
        A still picture moves as somebody in a video moves. Try these, then your own picture, and a video or
        your webcam.
      </p>
      <div class="gallery">
        {examples.map(({ starter, still, mover }) => (
          <button
            key={`${starter.name} ${still.spec}`}
            type="button"
            class="example"
            title={`${titleOf(still)}, moved by ${mover.name}, with the model ${starter.name}`}
            aria-pressed={
              chosenRun.value === keyOf(starter) &&
              picture.value.source === still.picture &&
              driving.value.kind === 'synthetic' &&
              driving.value.name === mover.film
            }
            onClick={() =>
              batch(() => {
                chosenRun.value = keyOf(starter)
                picture.value = pictureOf(still)
                driving.value = drivingOf(mover)
              })
            }
          >
            <SubjectPicture subject={still} />
            <SubjectPicture subject={mover} />
            <span>
              <span class="unseen">
                {titleOf(still)}, moved by {mover.name}, with the model{' '}
              </span>
              {starter.name}
            </span>
          </button>
        ))}
      </div>
    </section>
  )
}
