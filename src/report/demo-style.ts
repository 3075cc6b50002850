/** The page's style: paper and ink by day, lamp light by night. No fonts or files from elsewhere. */
export const style = `
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
