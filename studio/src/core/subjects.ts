// The synthetic subjects that the page offers: heads and puppets that no starter was trained on.
import { type Starter, starters } from 'pantin/web'
import { upperFirst } from './format.ts'

/** A person's head or a paper puppet that is made from a seed. */
export interface Subject {
  /** For people: `head 1`. */
  readonly name: string
  /** Its name as a clip, without options. */
  readonly spec: string
  /** A clip of one frame. */
  readonly picture: string
  /** Address of a small picture of it, beside the page. */
  readonly thumbnail: string
  /** A clip of some seconds. */
  readonly film: string
}

const words = { face: 'head', puppet: 'puppet' } as const

/** No starter takes smaller pictures. */
const size = Math.max(...starters.map((starter) => starter.size))

/** The subjects of a kind: the examples of its starter. */
export function subjectsOf(kind: Starter['subject']): readonly Subject[] {
  const { examples = [] } = starters.find(({ subject }) => subject === kind) ?? {}
  return examples.map((spec, i) => ({
    name: `${words[kind]} ${i + 1}`,
    spec,
    picture: `${spec},frames=1,size=${size}`,
    thumbnail: `subjects/${spec.replace(':', '-')}.webp`,
    film: `${spec},frames=75,size=${size}`,
  }))
}

/** All subjects, of both kinds. */
export const subjects: readonly Subject[] = [...subjectsOf('face'), ...subjectsOf('puppet')]

/** Its name at the beginning of a sentence or a button. */
export const titleOf = ({ name }: Subject): string => upperFirst(name)
