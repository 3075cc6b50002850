// The page that the demo writes beside its films, with a line chart of the loss.
import type { Evaluation } from '../evaluate/evaluate.ts'
import { escaped, formatCount, formatSeconds } from './format.ts'

/** Names of the files that the demo makes. */
export const demoFiles = {
  page: 'index.html',
  face: 'face.mp4',
  puppet: 'puppet.mp4',
  trained: 'before-and-after.mp4',
  sheet: 'sheet.png',
  metrics: 'metrics.json',
  run: 'run',
} as const

/** Files of demos that other versions made, which may be replaced, too. */
export const formerFiles: readonly string[] = ['moved.mp4', 'familiar.mp4', 'keypoints.mp4', 'keypoints.json']

/** What came of the training. */
export interface TrainedPart {
  readonly steps: number
  /** Seconds of training. */
  readonly seconds: number
  readonly device: string
  /** The starter, measured on frames that training did not see. */
  readonly before: Evaluation
  /** The trained model, on the same frames. */
  readonly after: Evaluation
  /** Loss by step. */
  readonly curve: readonly Point[]
}

/** The content of the page. */
export interface DemoReport {
  /** The result of the training; minutes of training that are to come; undefined if it was stopped. */
  readonly training: TrainedPart | number | undefined
  readonly seed: number
  readonly version: string
}

/** The demo's page: one file beside its videos, without anything from elsewhere. */
export function demoPage({ training, seed, version }: DemoReport): string {
  const isTrained = typeof training === 'object'
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pantin: a still portrait moves</title>
<style>${style}</style>
</head>
<body>
<main>
<span class="string" aria-hidden="true"></span>
<h1>A still portrait moves</h1>
<p class="lead">One picture is all that is known of the person on the left. The person in the middle moves, and the picture
moves with them. The model, <code>face</code>, comes with the package. It has never seen either of them: nobody trained it on
this machine.</p>

<figure>
${columns('source', 'driving', 'result')}
${film(demoFiles.face, 'A still portrait, a person who moves, and the portrait moving like that person')}
<figcaption>Both people are synthetic: made from numbers, and from no photograph. 256 x 256 pixels.</figcaption>
</figure>

<figure>
${columns('source', 'driving', 'result')}
${film(demoFiles.puppet, 'A still puppet, a dancing puppet, and the still one dancing like it')}
<figcaption>The model <code>puppet</code> does the same with paper puppets. 128 x 128 pixels, enlarged.</figcaption>
</figure>

<h2>Now yours</h2>
<p>Take a portrait, and a video of somebody who looks into the camera, both at least 256 pixels wide and high. The square
around the face is found and moved. With <code>--paste</code>, it is put back into the whole picture.</p>
<pre>npx pantin animate face --source portrait.jpg --driving me.mp4 --paste --out moved.mp4</pre>
<p>With a webcam, in the browser:</p>
<pre>npx pantin studio</pre>
<p>A few minutes of training on the video of one person make that person better:</p>
<pre>npx pantin train me.mp4 --from face --minutes 10 --out runs/me
npx pantin animate runs/me --source portrait.jpg --driving me.mp4 --out moved.mp4</pre>

<h2>Trained on one person</h2>
${isTrained ? trainedPart(training) : waitingPart(training)}

<h2>Moment by moment</h2>
<figure>
<img src="${demoFiles.sheet}" alt="Rows of three pictures: source, driving frame and result, at moments of both films" loading="lazy">
<figcaption>In threes: source, driving frame, result.</figcaption>
</figure>

<footer>pantin ${escaped(version)}, seed ${seed}.${isTrained ? dataLinks : ''}</footer>
</main>
<script>
// Who asked for less motion starts the films by hand.
if (matchMedia('(prefers-reduced-motion: reduce)').matches)
  for (const video of document.querySelectorAll('video')) { video.autoplay = false; video.pause() }
</script>
</body>
</html>
`
}

const dataLinks = ` The figures above as data: <a href="${demoFiles.metrics}">${demoFiles.metrics}</a>.
The trained model: <a href="${demoFiles.run}/">${demoFiles.run}/</a>.`

const waitingPart = (minutes: number | undefined) =>
  minutes === undefined
    ? '<p>The training was stopped. To see what it does, run the demo again.</p>'
    : `<p>The model is now trained on a clip of one person for ${formatSeconds(60 * minutes)}. Reload this page when the
command has ended.</p>`

function trainedPart(trained: TrainedPart): string {
  const { steps, seconds, device, curve } = trained
  const time = formatSeconds(seconds)
  const chart = lineChart(curve, { title: 'Training loss by step', x: 'step' })
  return `<p>The model <code>face</code> was trained for ${time} on the first four fifths of a clip. The film shows the last
fifth, which training did not see, and what both models make of it: they get the first frame of the clip, and the keypoints
of the true frame.</p>
<figure>
${columns('first frame', 'true frame', 'face', 'trained')}
${film(demoFiles.trained, 'First frame, true frame, and what the starter and the trained model make of it')}
<figcaption>${formatCount(steps)} steps in ${time} on ${escaped(device)}.</figcaption>
</figure>
<div class="scroll">${metricsTable(trained)}</div>
${chart === '' ? '' : `<figure>\n${chart}\n<figcaption>Training loss.</figcaption>\n</figure>`}`
}

/** Titles above a film, the last one marked. */
const columns = (...titles: readonly string[]) =>
  `<div class="columns of${titles.length}" aria-hidden="true">${titles
    .map((title, i) => (i === titles.length - 1 ? `<b>${title}</b>` : `<span>${title}</span>`))
    .join('')}</div>`

const film = (file: string, label: string) =>
  `<video src="${file}" title="${label}" aria-label="${label}" autoplay loop muted playsinline controls preload="auto"></video>`

function metricsTable({ before, after }: TrainedPart): string {
  const rows = [
    ['the first frame itself', before.still],
    ['face, as it comes', before],
    ['trained on this person', after],
  ] as const
  const body = rows.map(
    ([name, { l1, psnr, ssim }], i) =>
      `<tr><td>${name}</td>${[l1.toFixed(4), `${psnr.toFixed(1)} dB`, ssim.toFixed(3)]
        .map((cell) => `<td>${i === rows.length - 1 ? `<b>${cell}</b>` : cell}</td>`)
        .join('')}</tr>`,
  )
  return `<table>
<caption hidden>Reconstruction of ${before.frames} frames that training did not see</caption>
<thead><tr><th scope="col">${before.frames} frames</th><th scope="col">L1, less is better</th><th scope="col">PSNR</th><th scope="col">SSIM</th></tr></thead>
<tbody>${body.join('')}</tbody>
</table>`
}

/** The page's style: paper and ink by day, lamp light by night. No fonts or files from elsewhere. */
const style = `
:root {
  color-scheme: light dark;
  --paper: #faf6ed; --card: #fffdf8; --ink: #2a2520; --soft: #746b60; --rule: #e4dac8;
  --brass: #a9761f; --curtain: #a83a2c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #191613; --card: #221e1a; --ink: #eee5d6; --soft: #a89d8d; --rule: #3a332b;
    --brass: #d9a94a; --curtain: #e07a63;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 17px/1.6 system-ui, sans-serif; -webkit-text-size-adjust: 100%;
}
main { max-width: 50rem; margin: 0 auto; padding: 0 1.25rem 5rem }
h1, h2 { font-family: ui-serif, Georgia, 'Times New Roman', serif; font-weight: 600; line-height: 1.15; text-wrap: balance }
h1 { font-size: clamp(2rem, 6vw, 3rem); margin: 0 0 .6em; letter-spacing: -.01em }
h2 { font-size: 1.5rem; margin: 3.5rem 0 .5rem }
p { margin: 0 0 1rem; max-width: 40rem; text-wrap: pretty }
.string { display: block; width: 1px; height: 4.5rem; margin: 0 0 1.4rem .45rem; background: var(--soft); position: relative }
.string::after {
  content: ''; position: absolute; left: -.44rem; bottom: -.44rem; width: .9rem; height: .9rem;
  border-radius: 50%; background: var(--brass); box-shadow: inset 0 0 0 .22rem var(--paper), 0 0 0 1.5px var(--brass);
}
.lead { font-size: 1.15rem }
figure { margin: 1.5rem 0 0; padding: .75rem; background: var(--card); border: 1px solid var(--rule); border-radius: 10px }
figure video, figure img { display: block; width: 100%; height: auto; border-radius: 4px; background: var(--rule) }
figure.narrow { max-width: 26rem }
.columns { display: grid; grid-template-columns: repeat(3, 1fr); text-align: center; padding: 0 0 .5rem; color: var(--soft); font-size: .85rem }
.columns.of4 { grid-template-columns: repeat(4, 1fr) }
.columns b { color: var(--curtain); font-weight: 600 }
figcaption { color: var(--soft); font-size: .9rem; line-height: 1.45; padding: .7rem .2rem .1rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .95rem }
th, td { padding: .5rem .75rem .5rem 0; border-bottom: 1px solid var(--rule); text-align: right; white-space: nowrap }
th { color: var(--soft); font-weight: 500 }
th:first-child, td:first-child { text-align: left; white-space: normal; min-width: 8rem }
td b { color: var(--curtain) }
.chart { display: block; width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--soft) }
.chart path { fill: none }
.chart .rule { stroke: var(--rule) }
.chart .raw { stroke: var(--brass); stroke-opacity: .35 }
.chart .smooth { stroke: var(--brass); stroke-width: 2.5; stroke-linejoin: round }
code { font-size: .92em }
pre { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: .9rem 1rem; overflow-x: auto; font-size: .85rem; line-height: 1.55 }
a { color: var(--curtain); text-underline-offset: .15em }
:focus-visible { outline: 2px solid var(--brass); outline-offset: 3px }
footer { margin-top: 4rem; color: var(--soft); font-size: .9rem }
`

export interface Point {
  readonly x: number
  readonly y: number
}

const [width, height] = [640, 220]
const [left, right, top, bottom] = [44, 8, 10, 26]

/**
 * One curve: as measured, faint, and smoothed.
 *
 * @param points in rising order of x, at least two.
 */
export function lineChart(
  points: readonly Point[],
  labels: { readonly title: string; readonly x: string },
): string {
  const finite = points.filter(({ y }) => Number.isFinite(y))
  if (finite.length < 2) return ''
  const [mostX, mostY] = [Math.max(...finite.map(({ x }) => x)), Math.max(...finite.map(({ y }) => y))]
  const stepY = niceStep(mostY / 4)
  const stepX = niceStep(mostX / 5)
  const ceiling = Math.ceil(mostY / stepY) * stepY
  const px = (x: number) => left + (x / mostX) * (width - left - right)
  const py = (y: number) => height - bottom - (y / ceiling) * (height - top - bottom)
  const path = (line: readonly Point[]) =>
    line.map(({ x, y }, i) => `${i === 0 ? 'M' : 'L'}${px(x).toFixed(1)} ${py(y).toFixed(1)}`).join('')

  const rows = ticks(stepY, ceiling).map(
    (y) =>
      `<path class="rule" d="M${left} ${py(y).toFixed(1)}H${width - right}"/>` +
      `<text x="${left - 8}" y="${(py(y) + 4).toFixed(1)}" text-anchor="end">${label(y)}</text>`,
  )
  const columns = ticks(stepX, mostX)
    .filter((x) => px(x) < width - 40)
    .map((x) => `<text x="${px(x).toFixed(1)}" y="${height - 6}" text-anchor="middle">${label(x)}</text>`)
  return `<svg class="chart" viewBox="0 0 ${width} ${height}" role="img" aria-label="${labels.title}">
<title>${labels.title}</title>
${rows.join('')}${columns.join('')}
<text x="${width - right}" y="${height - 6}" text-anchor="end">${labels.x}</text>
<path class="raw" d="${path(finite)}"/>
<path class="smooth" d="${path(smoothed(finite))}"/>
</svg>`
}

/** Mean over neighbours, a twentieth of the curve to each side. */
function smoothed(points: readonly Point[]): Point[] {
  const reach = Math.max(1, Math.floor(points.length / 20))
  return points.map(({ x }, i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1)
    return { x, y: near.reduce((sum, { y }) => sum + y, 0) / near.length }
  })
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function niceStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-9)))
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10)
}

const ticks = (step: number, end: number) =>
  Array.from({ length: Math.floor(end / step + 1e-6) + 1 }, (_, i) => i * step)

const label = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US')
