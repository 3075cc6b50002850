// The starters: trained models that come with the package, named wherever a run is. Plain data, for Node and pages; their
// files are in assets/starters.
import { nearest } from '../util/errors.ts'

/** A trained model that comes with the package. */
export interface Starter {
  /** Its name, which stands for the path of a run. */
  readonly name: string
  /** What it moves: people's faces, or paper puppets. */
  readonly subject: 'face' | 'puppet'
  /** Side of the square pictures that it makes, in pixels. */
  readonly size: number
  /** What it is for, in one line. */
  readonly purpose: string
  /**
   * Synthetic clips to try it with, by the names that `openClip` takes. No starter is trained on seeds from 100001 upwards.
   * The first is a good picture to move, the second a good clip to move it by.
   */
  readonly examples: readonly string[]
}

const heads = ['head:100001', 'head:100041', 'head:100002', 'head:100027']
const puppets = ['puppet:100024', 'puppet:100010', 'puppet:100012', 'puppet:100004']

/** All starters. The first one is the one to begin with. */
export const starters: readonly Starter[] = [
  {
    name: 'face',
    subject: 'face',
    size: 256,
    purpose: 'moves a portrait with the head and the face of a video, at 256x256 pixels',
    examples: heads,
  },
  {
    name: 'face-small',
    subject: 'face',
    size: 128,
    purpose: 'moves a portrait at 128x128 pixels, for phones and slow machines',
    examples: heads,
  },
  {
    name: 'puppet',
    subject: 'puppet',
    size: 128,
    purpose: 'moves a paper puppet (puppet:SEED) as another one dances, at 128x128 pixels',
    examples: puppets,
  },
]

/** The starter of a name; undefined if the name is none's. */
export const findStarter = (name: string): Starter | undefined =>
  starters.find((starter) => starter.name === name)

/** Their names, for messages. */
export const starterNames = (): string => starters.map(({ name }) => name).join(', ')

/** The starter that a mistyped name may stand for. A path is no such name. */
export const nearestStarter = (name: string): string | undefined =>
  /^[\w-]{1,40}$/.test(name)
    ? nearest(
        name,
        starters.map((starter) => starter.name),
      )
    : undefined
