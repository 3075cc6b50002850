// The part `compress` as a table and as CSV.
import { formatScaled, msCell, table, toCsv } from '../../src/report/format.ts'
import { type CompressBench, teacher } from './compress.ts'

const titles = { float: 'float', pantin: 'int8', onnxruntime: 'ONNX Runtime' } as const

/** The bench as a table, one line for each form of each network. */
export function describeCompress({
  machine,
  threads,
  exactSums,
  steps,
  peer,
  networks,
  leftOut,
}: CompressBench): string {
  const rows = networks.flatMap(({ name, size, forms }) => [
    ...forms.map(({ by, how, bytes, latency, ratio, distance }, i) => [
      i === 0 ? `${name}, ${size}x${size}` : '',
      how === '' ? titles[by] : `${titles[by]}, ${how}`,
      formatScaled(bytes, 'B'),
      ...[latency.median, latency.min].map((ms) => ms.toPrecision(3)),
      ...(by === 'float' ? ['', ''] : [ratio.toFixed(2), distance.toExponential(1)]),
    ]),
    ...(peer === null ? [['', `${titles.onnxruntime}: not measured`, '', '', '', '', '']] : []),
  ])
  const [first] = networks
  return [
    `${machine.cpu}, ${threads} thread${threads === 1 ? ', processor time' : 's'}; weights of ${exactSums ? 'eight' : 'seven'} bits`,
    table(rows, ['detector', 'form', 'file', 'ms', 'least', 'times faster', 'distance']),
    `distance: mean of keypoints to those in float on ${first?.frames.measured ?? 0} held-out frames, in units of [-1, 1]`,
    ...(steps === null ? [] : [`networks learned from the starter ${teacher} for ${steps} steps`]),
    ...(peer === null
      ? []
      : [`peer: the static quantiser of ONNX Runtime ${peer}, on the same graph and frames`]),
    ...leftOut.map(({ name, why }) => `left out: ${name}: ${why}`),
  ].join('\n')
}

/** The bench as CSV, one line for each form of each network. */
export const compressBenchCsv = ({ machine, threads, networks }: CompressBench): string =>
  toCsv(
    networks.flatMap(({ name, size, frames, forms }) =>
      forms.map(({ by, how, bytes, latency, ratio, distance }) => ({
        ...{ network: name, size, by, how, bytes },
        ...{ medianMs: msCell(latency.median), minMs: msCell(latency.min) },
        ...{ ratio: Number(ratio.toPrecision(5)), distance: Number(distance.toPrecision(5)) },
        ...{ frames: frames.measured, threads, cpu: machine.cpu, time: machine.time },
      })),
    ),
  )
