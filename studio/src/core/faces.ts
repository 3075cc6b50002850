// Faces in pictures and videos of one's own: the square around a head, which is moved or drives.
import { FaceFinder, type Picture, type Square } from 'pantin/web'
import { complain } from './messages.ts'
import { place } from './place.ts'

/** Opened at the first picture of one's own, and kept: its worker is small. */
let finder: Promise<FaceFinder> | undefined

/**
 * The square around the largest face, in pixels of the picture; undefined if there is none. If the networks cannot be opened,
 * that is told, and no face is found.
 */
export async function headIn(picture: Picture): Promise<Square | undefined> {
  const opened = finder ?? FaceFinder.open(place.peek())
  finder = opened
  try {
    const [face] = await (await opened).find(picture)
    return face?.head
  } catch (error) {
    // A picture that cannot be searched, such as one of a few pixels, is no fault of the finder.
    const isOpen = error instanceof Error && error.name === 'InputError'
    if (!isOpen && finder === opened) {
      finder = undefined
      opened.then((one) => one.close()).catch(() => {})
    }
    complain(error)
    return undefined
  }
}
