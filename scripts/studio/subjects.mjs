// Makes studio/public/subjects: small pictures of the heads and puppets that the studio offers, one file each. They are there with the
// page, where each would cost a worker a second beside the model that is being opened. test/studio/subjects.test.ts holds them to
// what is drawn today.
//
//   npm run build && node scripts/studio/subjects.mjs
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { openClip, starters } from 'pantin'
import sharp from 'sharp'

/** Twice as wide as they are shown, for fine screens. */
const side = 224

const folder = fileURLToPath(new URL('../../studio/public/subjects', import.meta.url))
await mkdir(folder, { recursive: true })
for (const spec of new Set(starters.flatMap(({ examples }) => examples))) {
  const clip = await openClip(`${spec},frames=1,size=256`)
  for await (const { width, height, data } of clip.frames()) {
    const picture = sharp(data, { raw: { width, height, channels: 3 } }).resize(side, side)
    await picture.webp({ quality: 80, effort: 6 }).toFile(`${folder}/${spec.replace(':', '-')}.webp`)
  }
  await clip.close()
}
