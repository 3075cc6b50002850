// What a synthetic person does over time: head pose, gaze, blinks, emotions and speech.
//
// Each movement is a track of keys with smooth rises between them (MakeHuman's blendshapes under ARKit's names).
// Keys come from hashes of their number, so that any moment of a clip of any length can be asked for.
import { clamp, hash, mix, smoothstep } from '../arithmetic.ts'

/** Everything that moves, at one moment. */
export interface Performance {
  /** Radians. Positive yaw turns the face to the picture's right, positive pitch down, positive roll clockwise. */
  readonly yaw: number
  readonly pitch: number
  readonly roll: number
  /** Where the eyes look, radians from straight ahead: to the picture's right, and up. */
  readonly gaze: readonly [number, number]
  /** Weights of expressions, 0 to 1, by ARKit's names; weights of 0 are left out. */
  readonly expressions: ReadonlyMap<string, number>
  /** How the upper body moves before the backdrop, and the head with it. */
  readonly lean: Lean
  /** Camera: decimetres to the right and up, and a factor of zoom. */
  readonly camera: readonly [number, number, number]
}

/** Where the upper body is: people rock, duck and come near while they speak. */
export interface Lean {
  /** Decimetres to the picture's right, up, and towards the camera. */
  readonly to: readonly [number, number, number]
  /** About the waist, radians, positive clockwise on the picture. */
  readonly roll: number
}

const degrees = Math.PI / 180

const both = (name: string, weight: number): readonly [string, number][] => [
  [`${name}Left`, weight],
  [`${name}Right`, weight],
]
const one = (name: string, weight: number): readonly [string, number][] => [[name, weight]]

type Weights = readonly (readonly [string, number])[]

/** Faces that people make, with how often they are drawn. */
const emotions: readonly { readonly often: number; readonly weights: Weights }[] = [
  { often: 5, weights: [] },
  {
    often: 3,
    weights: [...both('mouthSmile', 0.75), ...both('cheekSquint', 0.4), ...both('eyeSquint', 0.25)],
  },
  {
    often: 2,
    weights: [
      ...both('mouthSmile', 0.9),
      ...both('mouthUpperUp', 0.5),
      ...one('jawOpen', 0.16),
      ...both('cheekSquint', 0.7),
      ...both('eyeSquint', 0.4),
    ],
  },
  {
    often: 1.5,
    weights: [
      ...one('browInnerUp', 0.8),
      ...both('browOuterUp', 0.8),
      ...both('eyeWide', 0.7),
      ...one('jawOpen', 0.3),
    ],
  },
  { often: 1, weights: [...both('browDown', 0.8), ...both('noseSneer', 0.4), ...both('mouthPress', 0.5)] },
  {
    often: 1,
    weights: [...one('browInnerUp', 0.8), ...both('mouthFrown', 0.7), ...one('mouthShrugLower', 0.4)],
  },
  { often: 1, weights: [...one('mouthPucker', 0.8), ...one('mouthFunnel', 0.2)] },
  { often: 0.7, weights: [...one('jawLeft', 0.5), ...one('mouthLeft', 0.7)] },
  { often: 0.7, weights: [...one('jawRight', 0.5), ...one('mouthRight', 0.7)] },
  { often: 0.7, weights: [...one('cheekPuff', 0.8), ...both('mouthPress', 0.3)] },
  { often: 0.7, weights: [...one('jawOpen', 0.75), ...both('eyeSquint', 0.4)] },
  {
    often: 0.7,
    weights: [
      ['mouthSmileLeft', 0.8],
      ['cheekSquintLeft', 0.5],
      ['browOuterUpRight', 0.6],
    ],
  },
  {
    often: 0.7,
    weights: [
      ['mouthSmileRight', 0.8],
      ['eyeBlinkLeft', 0.9],
      ['cheekSquintRight', 0.4],
    ],
  },
  { often: 0.6, weights: [...one('mouthRollLower', 0.6), ...one('mouthRollUpper', 0.5)] },
]

/** Shapes of the mouth in speech. */
const visemes: readonly Weights[] = [
  [],
  [...one('jawOpen', 0.42), ...both('mouthLowerDown', 0.25)],
  [...one('jawOpen', 0.2), ...both('mouthStretch', 0.4), ...both('mouthUpperUp', 0.2)],
  [...one('jawOpen', 0.16), ...one('mouthFunnel', 0.6)],
  [...one('mouthPucker', 0.6), ...one('jawOpen', 0.1)],
  [...one('mouthRollLower', 0.4), ...both('mouthUpperUp', 0.2)],
  [...both('mouthPress', 0.4), ...one('mouthRollUpper', 0.2)],
  [...one('jawOpen', 0.1), ...both('mouthUpperUp', 0.3), ...both('mouthLowerDown', 0.35)],
]

/** About a standard normal number of a key. */
function normalAt(key: number, track: number, seed: number): number {
  let sum = -3
  for (let i = 0; i < 6; i++) sum += hash(key, track, i, seed)
  return sum * Math.SQRT2
}

/** Where `time` lies among keys that come every `period` seconds, each late by up to a half of that. */
function between(time: number, period: number, track: number, seed: number) {
  const at = (key: number) => (key + 0.5 * hash(key, track, 99, seed)) * period
  let key = Math.floor(time / period)
  if (at(key) > time) key--
  const [from, to] = [at(key), at(key + 1)]
  return { key, from, to, part: clamp((time - from) / (to - from), 0, 1) }
}

/** A number that moves smoothly from key to key, each normal with this deviation, at most `most` in size. */
function wander(time: number, period: number, deviation: number, most: number, track: number, seed: number) {
  const { key, part } = between(time, period, track, seed)
  const value = (k: number) => clamp(deviation * normalAt(k, track, seed), -most, most)
  return mix(value(key), value(key + 1), smoothstep(0, 1, part))
}

/** What the person of this seed does at `time` seconds. */
export function performanceAt(time: number, seed: number): Performance {
  const liveliness = mix(0.6, 1.2, hash(1, 2, 3, seed))
  const pose = (period: number, deviation: number, most: number, track: number) =>
    degrees * wander(time, period, deviation * liveliness, most, track, seed)
  const gaze = gazeAt(time, seed)
  // Most people sit nearly still, and some move through half of the picture.
  const restless = mix(0.1, 0.8, hash(1, 2, 4, seed) ** 2)
  const lean = (period: number, deviation: number, most: number, track: number) =>
    wander(time, period, deviation * restless, most, track, seed)
  return {
    yaw: pose(0.9, 17, 38, 1),
    pitch: pose(0.8, 8.5, 21, 2),
    roll: pose(1, 6.5, 16, 3),
    gaze,
    expressions: expressionsAt(time, gaze, seed),
    lean: {
      to: [lean(1.5, 0.4, 0.9, 16), lean(1.3, 0.16, 0.35, 17), lean(1.9, 0.7, 1.5, 18)],
      roll: degrees * lean(1.7, 4.5, 9, 19),
    },
    camera: [
      wander(time, 3.5, 0.09, 0.22, 4, seed),
      wander(time, 3.9, 0.07, 0.2, 5, seed),
      1 + wander(time, 4.5, 0.03, 0.08, 6, seed),
    ],
  }
}

/** Eyes rest, and jump to a new place within a twelfth of a second. One look in five goes as far as eyes can. */
function gazeAt(time: number, seed: number): [number, number] {
  const { key, to } = between(time, 0.9, 7, seed)
  const jump = smoothstep(to - 0.085, to, time)
  const place = (k: number, axis: number, deviation: number, most: number) => {
    const kind = hash(k, 8, axis, seed)
    if (kind < 0.35) return 0
    const far = kind > 0.8 ? 2.2 : 1
    return clamp(far * deviation * normalAt(k, 9 + axis, seed), -most, most)
  }
  return [
    mix(place(key, 0, 0.22, 0.6), place(key + 1, 0, 0.22, 0.6), jump),
    mix(place(key, 1, 0.12, 0.45), place(key + 1, 1, 0.12, 0.45), jump),
  ]
}

function expressionsAt(
  time: number,
  [side, up]: readonly [number, number],
  seed: number,
): Map<string, number> {
  const sum = new Map<string, number>()
  const addAll = (weights: Weights, by: number) => {
    for (const [name, weight] of weights) sum.set(name, (sum.get(name) ?? 0) + by * weight)
  }
  const emotion = between(time, 1.15, 11, seed)
  const rise = smoothstep(0.15, 0.75, emotion.part)
  addAll(emotionOf(emotion.key, seed), (1 - rise) * mix(0.6, 1.1, hash(emotion.key, 12, 0, seed)))
  addAll(emotionOf(emotion.key + 1, seed), rise * mix(0.6, 1.1, hash(emotion.key + 1, 12, 0, seed)))

  const speech = between(time, 2.6, 13, seed)
  const speaks = (k: number) => Number(hash(k, 13, 1, seed) < 0.55)
  const talking = mix(speaks(speech.key), speaks(speech.key + 1), smoothstep(0.9, 1, speech.part))
  const viseme = between(time, 0.19, 14, seed)
  const mouth = (k: number) => visemes[Math.floor(hash(k, 14, 1, seed) * visemes.length)]!
  const turn = smoothstep(0, 1, viseme.part)
  addAll(mouth(viseme.key), talking * (1 - turn))
  addAll(mouth(viseme.key + 1), talking * turn)

  for (const [name, weight] of eyesOf(seed)) sum.set(name, Math.max(sum.get(name) ?? 0, weight))
  const blink = Math.max(blinkAt(time, seed), droopAt(time, seed))
  for (const [sideName, sign] of [
    ['Left', 1],
    ['Right', -1],
  ] as const) {
    const shut = Math.max(sum.get(`eyeBlink${sideName}`) ?? 0, blink)
    if (shut > 0) sum.set(`eyeBlink${sideName}`, shut)
    addAll([[`eyeLookUp${sideName}`, Math.max(0, up) * 1.6]], 1 - shut)
    addAll([[`eyeLookDown${sideName}`, Math.max(0, -up) * 1.8]], 1 - shut)
    addAll([[`eyeLookOut${sideName}`, Math.max(0, sign * side) * 1.2]], 1 - shut)
    addAll([[`eyeLookIn${sideName}`, Math.max(0, -sign * side) * 1.2]], 1 - shut)
  }
  return new Map([...sum].flatMap(([name, weight]) => (weight > 0.004 ? [[name, clamp(weight, 0, 1)]] : [])))
}

function emotionOf(key: number, seed: number): Weights {
  const total = emotions.reduce((sum, { often }) => sum + often, 0)
  let left = hash(key, 11, 1, seed) * total
  for (const { often, weights } of emotions) {
    left -= often
    if (left < 0) return weights
  }
  return []
}

/** How wide a person's eyes are when nothing is felt. */
function eyesOf(seed: number): Weights {
  const kind = hash(1, 2, 5, seed)
  const weight = hash(1, 2, 6, seed)
  if (kind < 0.65) return both('eyeWide', mix(0.2, 1, weight))
  return kind < 0.8 ? both('eyeSquint', 0.5 * weight) : []
}

/** 0 to 1, how far the lids hang or are kept shut for longer than a blink. */
function droopAt(time: number, seed: number): number {
  const { key, part } = between(time, 1.1, 20, seed)
  const droop = (k: number) => (hash(k, 20, 1, seed) < 0.18 ? mix(0.25, 1.1, hash(k, 20, 2, seed)) : 0)
  return Math.min(1, mix(droop(key), droop(key + 1), smoothstep(0.85, 1, part)))
}

/** 0 open to 1 shut: lids fall within 80 ms, and rise within 150. */
function blinkAt(time: number, seed: number): number {
  const { from } = between(time, 2.1, 15, seed)
  const since = time - from
  return Math.min(smoothstep(0, 0.08, since), 1 - smoothstep(0.11, 0.26, since))
}
