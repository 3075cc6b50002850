// Makes docs/pantin.webp, the moving picture of the README: source, driving clip, keypoints and result, side by side.
// The model is the one that the studio brings along; both puppets are among those that it was trained on, and neither has moved the other before.
//
//   npm run build && node scripts/moving-picture.mjs [--source SEED] [--driving SEED] [--out FILE]
import { parseArgs } from 'node:util'
import { animateFrames, openModel, puppetClip } from 'pantin'
import sharp from 'sharp'

const { values } = parseArgs({
  options: {
    source: { type: 'string', default: '22' },
    driving: { type: 'string', default: '3' },
    out: { type: 'string', default: 'docs/pantin.webp' },
  },
})

const [panel, gap, label] = [192, 8, 26]
const [frames, frameRate] = [60, 12.5]
const width = 4 * panel + 5 * gap
const height = panel + label + gap

const model = await openModel('studio/public/runs/puppets', { device: 'cpu' })
const { size } = model.config
const still = { seed: Number(values.source), size, frames: 1 }
let source
for await (const frame of puppetClip(still).frames()) source = frame
const driving = puppetClip({ seed: Number(values.driving), size, frames, frameRate })

const pages = []
for await (const moved of animateFrames(model, source.data, driving)) {
  const at = (i) => gap + i * (panel + gap)
  const pictures = [source, moved.driving, moved.result].map(enlarged)
  const [a, b, c] = await Promise.all(pictures)
  const page = sharp({ create: { width, height, channels: 3, background: '#faf6ed' } }).composite([
    { input: a, left: at(0), top: label },
    { input: b, left: at(1), top: label },
    { input: c, left: at(3), top: label },
    { input: Buffer.from(drawing(moved.kpDriving.value, at)), left: 0, top: 0 },
  ])
  pages.push(await page.removeAlpha().raw().toBuffer())
}
await model.close()

const raw = { width, height: height * pages.length, channels: 3, pageHeight: height }
const delay = pages.map(() => Math.round(1000 / frameRate))
await sharp(Buffer.concat(pages), { raw }).webp({ quality: 75, effort: 6, loop: 0, delay }).toFile(values.out)

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
