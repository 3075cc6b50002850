/**
 * Maps of one grid on another. Both grids span [-1, 1] with their first and last cells' centres on the ends, as
 * keypoints are measured. Everything here is a matrix for rows times a map times one for columns.
 */

/** [to, from], row by row. */
type Lines = readonly Float32Array[]

const position = (i: number, size: number) => (size === 1 ? 0 : (2 * i) / (size - 1) - 1)

/** Shares each cell's mass between the two nearest of the other grid: sums and mean coordinates stay the same. */
function sharing(from: number, to: number): Lines {
  const lines = Array.from({ length: to }, () => new Float32Array(from))
  for (let i = 0; i < from; i++) {
    const at = ((position(i, from) + 1) / 2) * (to - 1)
    const low = Math.min(Math.floor(at), Math.max(0, to - 2))
    const part = at - low
    lines[low]![i]! += 1 - part
    if (part > 0) lines[low + 1]![i]! += part
  }
  return lines
}

/** Means of the cells around each of the other grid, by a tent that is as wide as the coarser cells. */
function averaging(from: number, to: number): Lines {
  const width = Math.max(1, from / to)
  return Array.from({ length: to }, (_, i) => {
    const at = ((position(i, to) + 1) / 2) * (from - 1)
    const line = Float32Array.from({ length: from }, (_, j) => Math.max(0, 1 - Math.abs(j - at) / width))
    const sum = line.reduce((total, part) => total + part, 0)
    return line.map((part) => part / sum)
  })
}

/** Prepares the passage of maps from one grid to another. */
export type Regrid = (maps: Float32Array) => Float32Array

/**
 * @param kind `mass`: of distributions, whose sum and mean coordinate stay; `mean`: of features.
 * @param from channels, height and width
 * @returns a function from maps [C, h, w] to maps [C, h', w']
 */
export function regrid(
  kind: 'mass' | 'mean',
  [channels, h, w]: readonly [number, number, number],
  [toH, toW]: readonly [number, number],
): Regrid {
  if (h === toH && w === toW) return (maps) => maps
  const lines = kind === 'mass' ? sharing : averaging
  const [down, across] = [lines(h, toH), lines(w, toW)]
  return (maps) => {
    const out = new Float32Array(channels * toH * toW)
    const half = new Float32Array(h * toW)
    for (let c = 0; c < channels; c++) {
      for (let y = 0; y < h; y++) {
        for (let x = 0; x < toW; x++) {
          const line = across[x]!
          let sum = 0
          for (let i = 0; i < w; i++) sum += line[i]! * maps[(c * h + y) * w + i]!
          half[y * toW + x] = sum
        }
      }
      for (let y = 0; y < toH; y++) {
        const line = down[y]!
        for (let x = 0; x < toW; x++) {
          let sum = 0
          for (let i = 0; i < h; i++) sum += line[i]! * half[i * toW + x]!
          out[(c * toH + y) * toW + x] = sum
        }
      }
    }
    return out
  }
}
