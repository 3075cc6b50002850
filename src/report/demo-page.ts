// The page that the demo writes beside its films, with a line chart of the loss.
import type { Evaluation } from '../evaluate/evaluate.ts'
import { escaped, formatCount, formatSeconds } from './format.ts'

/** Names of the files that the demo makes. */
export const demoFiles = {
  page: 'index.html',
  moved: 'moved.mp4',
  familiar: 'familiar.mp4',
  keypoints: 'keypoints.mp4',
  track: 'keypoints.json',
  sheet: 'sheet.png',
  metrics: 'metrics.json',
  run: 'run',
} as const

/** The content of the page. */
export interface DemoReport {
  readonly net: string
  /** Trained numbers of detector and generator together. */
  readonly params: number
  readonly puppets: number
  readonly size: number
  readonly keypoints: number
  readonly steps: number
  /** Seconds of training. */
  readonly seconds: number
  readonly device: string
  readonly seed: number
  readonly version: string
  /** Measured on puppets that were not trained on. */
  readonly strangers: Evaluation
  /** Measured on movements that were not trained on, of puppets that were. */
  readonly familiar: Evaluation
  /** Loss by step. */
  readonly curve: readonly Point[]
}

/** The demo's page: one file beside its videos, without anything from elsewhere. */
export function demoPage(report: DemoReport): string {
  const { puppets, keypoints, size, steps, seconds, device, seed, net, params, version } = report
  const time = formatSeconds(seconds)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>pantin: a still puppet moves</title>
<style>${style}</style>
</head>
<body>
<main>
<span class="string" aria-hidden="true"></span>
<h1>A still puppet moves</h1>
<p class="lead">A light network watched ${puppets} paper puppets dance for ${time} on this machine. Nobody told it
what an arm is. It chose ${keypoints} points to follow, and learned to move a picture by them. Then it was given one
picture of a puppet it had never seen.</p>

<figure>
${columns()}
${film(demoFiles.moved, 'A still puppet, a dancing puppet, and the still one dancing like it')}
<figcaption>The left picture is all that is known of this puppet. It takes the movement of the middle one, another
puppet that was never trained on. Frames are ${size} x ${size} pixels, enlarged.</figcaption>
</figure>

<h2>The strings</h2>
<p>Each dot is a keypoint: where it is in this frame, and, as two short lines, how its surroundings are turned and
stretched. They were found without labels, by one demand: from two frames of a clip and their keypoints alone, the
second must be made from the first.</p>
<figure class="narrow">
${film(demoFiles.keypoints, 'The dancing puppet with its keypoints drawn on it')}
<figcaption>The driving clip with the ${keypoints} keypoints of every frame
(<a href="${demoFiles.track}">as numbers</a>).</figcaption>
</figure>

<h2>A puppet it knows</h2>
<figure>
${columns()}
${film(demoFiles.familiar, 'A puppet from the training clips, moved by the same dance')}
<figcaption>The same dance on one of the ${puppets} puppets of the training.</figcaption>
</figure>

<h2>Moment by moment</h2>
<figure>
<img src="${demoFiles.sheet}" alt="Rows of three pictures: source, driving frame and result, at moments of both films" loading="lazy">
<figcaption>In threes: source, driving frame, result.</figcaption>
</figure>

<h2>By the numbers</h2>
<p>Clips that were not trained on are rebuilt from their first frame and keypoints, and compared with what they are.
The still picture is what doing nothing gives.</p>
<div class="scroll">${metricsTable(report)}</div>

<h2>How it learned</h2>
<figure>
${lineChart(report.curve, { title: 'Training loss by step', x: 'step' })}
<figcaption>Training loss: ${formatCount(steps)} steps in ${time} on ${escaped(device)}, seed ${seed}.
${escaped(net)} with its generator has ${formatCount(params)} parameters.</figcaption>
</figure>

<h2>Now yours</h2>
<pre>npx pantin train clip.mp4 --out runs/me
npx pantin animate runs/me --source portrait.jpg --driving clip.mp4 --out moved.mp4</pre>
<footer>pantin ${escaped(version)}. The figures above as data: <a href="${demoFiles.metrics}">${demoFiles.metrics}</a>.
The trained model: <a href="${demoFiles.run}/">${demoFiles.run}/</a>.</footer>
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

const columns = () =>
  '<div class="columns" aria-hidden="true"><span>source</span><span>driving</span><b>result</b></div>'

const film = (file: string, label: string) =>
  `<video src="${file}" title="${label}" aria-label="${label}" autoplay loop muted playsinline controls preload="auto"></video>`

function metricsTable({ strangers, familiar }: DemoReport): string {
  const rows = [
    ['puppets never seen', strangers],
    ['new movements of known ones', familiar],
  ] as const
  const body = rows.map(([name, { frames, l1, psnr, ssim, still }]) => {
    const cells = [
      `<b>${l1.toFixed(4)}</b> / ${still.l1.toFixed(4)}`,
      `<b>${psnr.toFixed(1)}</b> / ${still.psnr.toFixed(1)} dB`,
      `<b>${ssim.toFixed(3)}</b> / ${still.ssim.toFixed(3)}`,
    ]
    return `<tr><td>${name}, ${frames} frames</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  return `<table>
<caption hidden>Reconstruction compared with the still picture</caption>
<thead><tr><th scope="col">model / still picture</th><th scope="col">L1, less is better</th><th scope="col">PSNR</th><th scope="col">SSIM</th></tr></thead>
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
