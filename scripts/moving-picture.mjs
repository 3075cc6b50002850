// Makes docs/pantin.webp, the moving picture of the README: source, driving clip, keypoints and result, side by side; and
// studio/public/poster.webp, the result alone, which the studio shows until its model is there.
// The model is the starter "face". No starter was trained on either person.
//
//   npm run build && node scripts/moving-picture.mjs [--source PICTURE] [--driving CLIP] [--model RUN] [--out FILE]
//
// PICTURE and CLIP are names as the command line takes them: files, head:SEED or puppet:SEED.
import { parseArgs } from 'node:util'
import { animateFrames, fitSource, openClip, openModel, starters } from 'pantin'
import sharp from 'sharp'

const [face] = starters
const { values } = parseArgs({
  options: {
    source: { type: 'string', default: `${face.examples[0]},frames=1` },
    driving: { type: 'string', default: `${face.examples[1]},frames=60,rate=20` },
    model: { type: 'string', default: face.name },
    out: { type: 'string', default: 'docs/pantin.webp' },
    poster: { type: 'string', default: 'studio/public/poster.webp' },
  },
})

const [panel, gap, label] = [192, 8, 26]
/** The picture is loaded with the page of the project. */
const mostFrames = 60
const width = 4 * panel + 5 * gap
const height = panel + label + gap

const model = await openModel(values.model, { device: 'cpu' })
const { size } = model.config
const source = await fitSource(values.source, size, model.fit)
const still = { data: source.pixels, width: size, height: size }
const driving = await openClip(values.driving)
const { frameRate } = driving

const pages = []
const results = []
for await (const moved of animateFrames(model, source.pixels, driving)) {
  if (pages.length === mostFrames) break
  const at = (i) => gap + i * (panel + gap)
  const pictures = [still, moved.driving, moved.result].map(enlarged)
  const [a, b, c] = await Promise.all(pictures)
  const page = sharp({ create: { width, height, channels: 3, background: '#faf6ed' } }).composite([
    { input: a, left: at(0), top: label },
    { input: b, left: at(1), top: label },
    { input: c, left: at(3), top: label },
    { input: Buffer.from(drawing(moved.kpDriving.value, at)), left: 0, top: 0 },
  ])
  pages.push(await page.removeAlpha().raw().toBuffer())
  results.push(moved.result.data)
}
await driving.close()
await model.close()

await writeFilm(pages, width, height, 75, values.out)
// It is loaded before everything else: every second frame is enough.
await writeFilm(
  results.filter((_, i) => i % 2 === 0),
  size,
  size,
  60,
  values.poster,
)

/** @param frames RGB [tall, wide, 3] each */
async function writeFilm(frames, wide, tall, quality, path) {
  const raw = { width: wide, height: tall * frames.length, channels: 3, pageHeight: tall }
  const seconds = pages.length / frameRate
  const delay = frames.map(() => Math.round((1000 * seconds) / frames.length))
  await sharp(Buffer.concat(frames), { raw }).webp({ quality, effort: 6, loop: 0, delay }).toFile(path)
}

/** A frame as a panel, in PNG. */
function enlarged({ data, width: w, height: h }) {
  return sharp(data, { raw: { width: w, height: h, channels: 3 } })
    .resize(panel, panel)
    .png()
    .toBuffer()
}

/** Titles, and the panel of keypoints, as SVG. @param value x and y of each keypoint, in [-1, 1] */
function drawing(value, at) {
  const points = Array.from({ length: value.length / 2 }, (_, i) => {
    const [x, y] = [value[2 * i], value[2 * i + 1]].map((v) => ((v + 1) / 2) * (panel - 1))
    const hue = Math.round((720 * i) / value.length)
    return { x: at(2) + x, y: label + y, colour: `hsl(${hue} 62% ${i % 2 ? 42 : 54}%)` }
  })
  const strings = points.map(
    ({ x, y, colour }) =>
      `<path d="M${at(2) + panel / 2} ${label}L${x} ${y}" stroke="${colour}" stroke-opacity=".45"/>`,
  )
  const discs = points.map(
    ({ x, y, colour }) =>
      `<circle cx="${x}" cy="${y}" r="5" fill="${colour}" stroke="#fff" stroke-width="1.5"/>`,
  )
  const titles = ['source: a picture', 'driving: a video', 'keypoints', 'result'].map(
    (text, i) => `<text x="${at(i)}" y="18">${text}</text>`,
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">
<style>text { font: 600 13px 'DejaVu Sans', sans-serif; fill: #4a4138 }</style>
<rect x="${at(2)}" y="${label}" width="${panel}" height="${panel}" fill="#fffdf8"/>
${strings.join('')}${discs.join('')}${titles.join('')}
</svg>`
}
