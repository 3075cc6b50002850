// The mesh and shapes of heads, as scripts/heads/make-asset.mjs packs them from MakeHuman's CC0 data.
//
// The file is deflated. It holds six sections, each behind its length (32 bits, low byte first): a JSON header,
// positions, faces, masks, and the indices and values of all shapes. Whole numbers are varints (7 bits a byte, low
// ones first); signed ones are zigzag coded. Positions and faces are differences to the one before, and the indices
// of a shape are gaps. Lengths are in decimetres.

import { unzlibSync } from 'fflate'
import { z } from 'zod'
import { FormatError } from '../../util/errors.ts'

/** What a face of the mesh belongs to, in the order of the numbers in `HeadMesh.parts`. */
export const headParts = [
  'skin',
  'leftEye',
  'rightEye',
  'upperTeeth',
  'lowerTeeth',
  'tongue',
  'lashes',
  'hair',
] as const
export type HeadPart = (typeof headParts)[number]

/** Number of a part in `HeadMesh.parts`. */
export const partNumber = (name: HeadPart): number => headParts.indexOf(name)

/** A shape: how far some vertices move at weight 1. */
export interface HeadShape {
  readonly name: string
  /** Vertices that move. */
  readonly indices: Uint16Array
  /** [indices, 3], decimetres. */
  readonly deltas: Float32Array
}

/** A head and shoulders at rest, mouth closed, looking along +z, with y up. */
export interface HeadMesh {
  readonly vertices: number
  /** [vertices, 3], decimetres; the eyes are at y = 7.28, the chin at 6.16. */
  readonly rest: Float32Array
  /** [triangles, 3] */
  readonly triangles: Uint16Array
  /** [triangles], numbers of `headParts`. */
  readonly parts: Uint8Array
  /** [vertices] each, 0 to 1. */
  readonly masks: Readonly<Record<'lips' | 'eyelids' | 'ears' | 'insideMouth', Float32Array>>
  /** 52 shapes with ARKit's names. */
  readonly expressions: readonly HeadShape[]
  /** Shapes of single features, such as `nose-hump-incr`. */
  readonly shapes: readonly HeadShape[]
  /** Shapes of ancestry, sex, age and weight, such as `asian-female-young`. */
  readonly macros: readonly HeadShape[]
}

const shapeList = z.array(z.object({ name: z.string().max(80), count: z.int().nonnegative().max(65_535) }))
const headerSchema = z.object({
  format: z.literal(1),
  positionSteps: z.number().positive(),
  shapeSteps: z.number().positive(),
  vertices: z.int().positive().max(65_535),
  parts: z
    .array(z.object({ quads: z.int().nonnegative().max(1e5), triangles: z.int().nonnegative().max(1e5) }))
    .length(headParts.length),
  expressions: shapeList,
  shapes: shapeList,
  macros: shapeList,
})

/** Reads varints one after the other. */
class Varints {
  private at = 0
  constructor(private readonly bytes: Uint8Array) {}

  next(): number {
    let [value, shift] = [0, 0]
    for (;;) {
      const byte = this.bytes[this.at++]
      if (byte === undefined || shift > 28) throw damaged('a number is cut off')
      value |= (byte & 127) << shift
      if (byte < 128) return value >>> 0
      shift += 7
    }
  }

  signed(): number {
    const n = this.next()
    return n & 1 ? -(n + 1) / 2 : n / 2
  }
}

/** Reads the asset. @throws FormatError where it is not one, or is damaged. */
export function readHeadMesh(bytes: Uint8Array): HeadMesh {
  const [text, points, corners, masks, indices, values] = sections(inflate(bytes))
  const header = readHeader(new TextDecoder().decode(text))
  const { vertices } = header
  if (masks!.length !== 4 * vertices) throw damaged('the masks do not fit the mesh')
  const mask = (row: number) =>
    Float32Array.from(masks!.subarray(row * vertices, (row + 1) * vertices), (byte) => byte / 255)
  const [gaps, deltas] = [new Varints(indices!), new Varints(values!)]
  const readShapes = (list: typeof header.shapes) =>
    list.map(({ name, count }) => readShape(name, count, vertices, header.shapeSteps, gaps, deltas))
  return {
    vertices,
    rest: readPositions(new Varints(points!), vertices, header.positionSteps),
    ...readFaces(new Varints(corners!), header.parts, vertices),
    masks: { lips: mask(0), eyelids: mask(1), ears: mask(2), insideMouth: mask(3) },
    expressions: readShapes(header.expressions),
    shapes: readShapes(header.shapes),
    macros: readShapes(header.macros),
  }
}

function readHeader(text: string): z.infer<typeof headerSchema> {
  try {
    return headerSchema.parse(JSON.parse(text))
  } catch (error) {
    throw damaged('its header cannot be read', error)
  }
}

function inflate(bytes: Uint8Array): Uint8Array {
  try {
    return unzlibSync(bytes)
  } catch (error) {
    throw damaged('it cannot be inflated', error)
  }
}

function sections(raw: Uint8Array): Uint8Array[] {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  const found: Uint8Array[] = []
  let at = 0
  while (at + 4 <= raw.length) {
    const length = view.getUint32(at, true)
    found.push(raw.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  if (found.length !== 6 || at !== raw.length) throw damaged('its sections do not fill it')
  return found
}

function readPositions(points: Varints, vertices: number, steps: number): Float32Array {
  const rest = new Float32Array(3 * vertices)
  const last = [0, 0, 0]
  for (let i = 0; i < rest.length; i++) {
    last[i % 3] = last[i % 3]! + points.signed()
    rest[i] = last[i % 3]! / steps
  }
  return rest
}

/** Faces lie in the order of quads, then triangles, each by part; a quad is two triangles. */
function readFaces(
  corners: Varints,
  counts: readonly { quads: number; triangles: number }[],
  vertices: number,
) {
  const [triangles, parts]: [number[], number[]] = [[], []]
  let last = 0
  const corner = () => {
    last += corners.signed()
    if (last < 0 || last >= vertices) throw damaged('a face has a corner that is no vertex')
    return last
  }
  for (const [kind, size] of [
    ['quads', 4],
    ['triangles', 3],
  ] as const) {
    counts.forEach((count, part) => {
      for (let i = 0; i < count[kind]; i++) {
        const face = Array.from({ length: size }, corner)
        for (let k = 2; k < size; k++) {
          triangles.push(face[0]!, face[k - 1]!, face[k]!)
          parts.push(part)
        }
      }
    })
  }
  return { triangles: Uint16Array.from(triangles), parts: Uint8Array.from(parts) }
}

function readShape(
  name: string,
  count: number,
  vertices: number,
  steps: number,
  gaps: Varints,
  values: Varints,
): HeadShape {
  const indices = new Uint16Array(count)
  const deltas = new Float32Array(3 * count)
  let last = -1
  for (let i = 0; i < count; i++) {
    last += gaps.next() + 1
    if (last >= vertices) throw damaged(`the shape ${name} moves a vertex that is not there`)
    indices[i] = last
    for (let axis = 0; axis < 3; axis++) deltas[3 * i + axis] = values.signed() / steps
  }
  return { name, indices, deltas }
}

const damaged = (got: string, cause?: unknown): FormatError =>
  new FormatError(
    { what: 'the shapes of synthetic heads cannot be read', got, remedy: 'install pantin again' },
    { cause },
  )

/** The part that each vertex belongs to: no vertex belongs to two. */
export function vertexParts({ vertices, triangles, parts }: HeadMesh): Uint8Array {
  const found = new Uint8Array(vertices)
  triangles.forEach((v, i) => {
    found[v] = parts[Math.floor(i / 3)]!
  })
  return found
}
