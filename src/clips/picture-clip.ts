import { type Clip, resolveRange } from '../media/clip.ts'
import { readPicture } from '../media/picture.ts'

/**
 * A picture as a clip of one frame, for those who look at frames one by one.
 *
 * @throws InputError as `readPicture`.
 */
export async function pictureClip(path: string): Promise<Clip> {
  const picture = await readPicture(path)
  const [frameRate, frameCount] = [1, 1]
  const facts = { name: path, width: picture.width, height: picture.height, frameRate, frameCount }
  return {
    ...{ ...facts, duration: frameCount / frameRate },
    async *frames(range) {
      resolveRange(facts, range)
      // A reader may keep and change what it is given.
      yield { ...picture, data: picture.data.slice(), duration: 1 / frameRate }
    },
    close: async () => {},
  }
}
