// Which points of MediaPipe's face mesh are what: eyes, lids, brows, mouth, and what moves with the skull alone. Right and left
// are the person's own.

/** Number of points of the mesh. */
export const meshPoints = 468

/** Outer corners of the right and the left eye. */
export const outerCorners = [33, 263] as const

/** The eyes: right, then left. */
export const eyes = [
  {
    /** Outer and inner corner. */
    corners: [33, 133],
    /** Pairs of an upper and a lower point, at three places across the eye. */
    across: [
      [160, 144],
      [159, 145],
      [158, 153],
    ],
    /** The contour as the network of eyes gives it: lower lid from corner to corner, then the upper lid between them. */
    lids: [33, 7, 163, 144, 145, 153, 154, 155, 133, 246, 161, 160, 159, 158, 157, 173],
    /** The upper edge of the brow, from outside to inside. */
    brow: [70, 63, 105, 66, 107],
    /** Whether the network of eyes wants it mirrored. */
    mirrored: false,
  },
  {
    corners: [263, 362],
    across: [
      [387, 373],
      [386, 374],
      [385, 380],
    ],
    lids: [263, 249, 390, 373, 374, 380, 381, 382, 362, 466, 388, 387, 386, 385, 384, 398],
    brow: [300, 293, 334, 296, 336],
    mirrored: true,
  },
] as const

/** Corners of the mouth: right, left. */
export const mouthCorners = [61, 291] as const

/** Inner edges of the lips in the middle: upper, lower. */
export const innerLips = [13, 14] as const

const lipsOutside = [
  61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 146, 91, 181, 84, 17, 314, 405, 321, 375,
]
const lipsInside = [78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308, 95, 88, 178, 87, 14, 317, 402, 318, 324]

/** Parts of a face that move by themselves, and their points. */
export const parts = {
  lids: eyes.flatMap(({ lids, corners: [outer, inner] }) => lids.filter((i) => i !== outer && i !== inner)),
  brows: eyes.flatMap(({ brow }) => brow),
  mouth: [...lipsOutside, ...lipsInside],
} as const satisfies Record<string, readonly number[]>

export type PartOfFace = keyof typeof parts
export const partsOfFace = Object.keys(parts) as PartOfFace[]

/** Points that no expression moves much: eye corners, bridge and tip of the nose, temples, top of the forehead. */
export const rigidPoints: readonly number[] = [
  ...eyes.flatMap(({ corners }) => corners),
  ...[168, 6, 197, 195, 5, 4, 1],
  ...[127, 234, 356, 454, 10],
]

/**
 * The points of the mesh that are where tied keypoints are, by the keypoints' names: see `tiedNames`. Temples and the sides of the
 * jaw are left out, since the mesh has its edge elsewhere; irises, since the mesh has none.
 */
export const meshOfKeypoint: Readonly<Record<string, readonly number[]>> = {
  ...{
    rightUpperLid: [160, 158],
    rightLowerLid: [153, 144],
    leftUpperLid: [385, 387],
    leftLowerLid: [373, 380],
  },
  ...{ rightBrowOuter: [70], rightBrowMiddle: [105], rightBrowInner: [107] },
  ...{ leftBrowInner: [336], leftBrowMiddle: [334], leftBrowOuter: [300] },
  ...{ mouthRight: [61], mouthLeft: [291] },
  ...{ upperLipInner: [13], lowerLipInner: [14], upperLipOuter: [0], lowerLipOuter: [17] },
  ...{ rightEyeOuter: [33], rightEyeInner: [133], leftEyeInner: [362], leftEyeOuter: [263] },
  ...{ noseBridge: [6], noseTip: [1], noseRight: [98], noseLeft: [327], chin: [152] },
}
