// A search as text for the terminal, and as JSON.
import { join } from 'node:path'
import { eta } from '../study/search/halving.ts'
import type { Finalist, SearchReport } from '../study/search/report.ts'
import type { Design, Stage } from '../zoo/design.ts'
import { formatCount, formatScaled, milliseconds, table } from './format.ts'

/** The file that `--design` takes. */
const bestFile = ({ folder, best }: SearchReport) => (best === undefined ? null : join(folder, 'best.json'))

export function searchJson(found: SearchReport): object {
  const { folder, best, finalists, against, tried, dropped, trainings, interrupted } = found
  return {
    out: folder,
    best: best === undefined ? null : finalistJson(best),
    design: bestFile(found),
    finalists: finalists.map(finalistJson),
    against: against ?? null,
    ...{ tried: tried.length, dropped, trainings, interrupted },
  }
}

const finalistJson = ({ id, parent, cost, distance, jacobian, onFront, run, design }: Finalist) => ({
  ...{ id, parent: parent ?? null, ...cost },
  ...{ distance, jacobian: jacobian ?? null, onFront, run, design },
})

/**
 * The front as a table, the best design as JSON, and how to go on.
 *
 * @param distilCommand the command that trains the design of a file
 */
export function describeSearch(found: SearchReport, distilCommand: (design: string) => string): string {
  const { tried, dropped, trainings, best, against, interrupted } = found
  const counts = [
    `${formatCount(tried.length)} designs tried, ${formatCount(dropped)} too slow`,
    `${formatCount(trainings.done)} of ${formatCount(trainings.total)} trainings done`,
  ].join('; ')
  return [
    counts,
    best === undefined ? 'no design has come to the last rung yet' : frontTable(found),
    against === undefined
      ? ''
      : `after ${formatCount(against.steps)} steps: ${four(against.best)} from the teacher, ficelle's own design ${four(against.reference)}`,
    best === undefined ? '' : `best design, in ${bestFile(found)}:\n${JSON.stringify(best.design)}`,
    interrupted
      ? 'stopped: the same command goes on'
      : best && `train it with: ${distilCommand(bestFile(found)!)}`,
  ]
    .filter(Boolean)
    .join('\n\n')
}

function frontTable({ finalists, plan }: SearchReport): string {
  const shown = finalists.filter(({ onFront }) => onFront)
  const body = shown.map(({ id, parent, cost, distance, jacobian, design }) => [
    parent === undefined ? id : `${id} of ${parent}`,
    four(distance),
    jacobian === undefined ? '' : four(jacobian),
    cost.ratio.toFixed(2),
    milliseconds(cost.ms),
    formatScaled(cost.params),
    formatScaled(cost.macs),
    designText(design),
  ])
  const last = plan.steps * eta ** (plan.rungs - 1)
  return [
    table(body, ['design', 'to teacher', 'jacobian', 'latency', 'ms', 'parameters', 'MACs', 'made of']),
    `of ${finalists.length} designs with ${formatCount(last)} steps, the designs that no other beats in distance and latency; latency over ficelle's`,
  ].join('\n')
}

const four = (value: number) => value.toFixed(4)

/** `32 | rep-vgg 64 128x2 | sum 64 32`: the stem, stages with their blocks, the decoder. */
export function designText({ stem, stages, decoder }: Design): string {
  const first =
    stem.kind === 'convolutions' ? stem.widths.join(' ') : `${stem.side}x${stem.side} squares ${stem.width}`
  const parts = stages.map((stage, i) => {
    const same = stages[i - 1]?.block === stage.block
    return `${same ? '' : `${stage.block} `}${stageText(stage)}`
  })
  const { widths, depth, skips } = decoder
  const last = widths.length === 0 ? 'none' : `${skips} ${widths.join(' ')}${depth === 1 ? '' : ` x${depth}`}`
  return [first, parts.join(' '), last].join(' | ')
}

/** Width, depth if it is not 1, and what is unusual. */
const stageText = ({ stride, width, depth, dilations }: Stage) =>
  `${width}${depth === 1 ? '' : `x${depth}`}${stride === 1 ? ' same' : ''}${dilations.length === 0 ? '' : ` d${dilations.join(',')}`}`
