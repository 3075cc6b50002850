// The present state of the view Animate as a command, and as code for a page of one's own.
import type { Pose, Square } from 'pantin/web'

/** A synthetic clip by its name, or a file by its name. */
export interface Source {
  readonly kind: 'synthetic' | 'file'
  readonly name: string
}

/** The picture that is moved: of a clip, the first frame. */
export interface PictureSource {
  readonly kind: 'synthetic' | 'film' | 'file'
  readonly name: string
  /** The square that somebody chose. */
  readonly square?: Square | undefined
}

/** What is shown. */
export interface Scene {
  /** The name of a starter, or of a run. */
  readonly model: string
  readonly picture: PictureSource
  readonly driving: Source | { readonly kind: 'webcam' } | { readonly kind: 'strings'; readonly pose?: Pose }
  readonly isAbsolute: boolean
  /** The pose that relative motion starts from, if it is not that of the first frame. */
  readonly reference: Pose | undefined
  /** Whether the moved square is put back into the whole picture. */
  readonly paste: boolean
  readonly smoothing: false | { readonly minCutoff: number; readonly beta: number }
  /** Whether heads are looked for in files and in the webcam. */
  readonly looksForFaces: boolean
}

/** The command that makes this film; undefined if none does, because no video drives. */
export function commandOf(scene: Scene): string | undefined {
  const { model, picture, driving, isAbsolute, reference, paste, smoothing } = scene
  if (driving.kind === 'webcam' || driving.kind === 'strings') return undefined
  return [
    'npx pantin animate',
    word(model),
    `--source ${word(picture.name)}`,
    `--driving ${word(driving.name)}`,
    '--out moved.mp4',
    ...(isAbsolute ? ['--absolute'] : []),
    // The command looks for the best frame by itself.
    ...(!isAbsolute && reference === undefined ? ['--reference first'] : []),
    ...(paste ? ['--paste'] : []),
    ...(smoothing === false ? [] : ['--smooth']),
  ].join(' ')
}

/** A word for a shell: in quotes if it has anything but letters, digits and plain marks. */
function word(text: string): string {
  // A word that begins with "-" would be an option.
  const safe = text.startsWith('-') ? `./${text}` : text
  return /^[\w@%+=:,./-]+$/.test(safe) ? safe : `"${safe.replace(/["\\$`]/g, '\\$&')}"`
}

/** Code of a page that shows the same. It is JavaScript, and compiles as strict TypeScript. */
export function pageCodeOf(scene: Scene): string {
  const { model, picture, driving, looksForFaces, isAbsolute, reference } = scene
  const isLive = driving.kind === 'file' || driving.kind === 'webcam'
  const isUnframed = picture.kind !== 'synthetic' && picture.square === undefined
  const isLookedFor = looksForFaces && (isUnframed || isLive)
  const names = ['Animator', isLookedFor && 'FaceFinder', ...opens(scene)]
  return `${[
    `import { ${names.filter(Boolean).join(', ')} } from 'pantin/web'`,
    '',
    '// npx pantin web-assets public',
    "const place = { runtimeFolder: 'ort', workerUrl: 'worker.js', assetsFolder: 'assets' }",
    `const animator = await Animator.open(${quoted(model)}, place)`,
    ...(isLookedFor ? ['const faces = await FaceFinder.open(place)'] : []),
    "const canvas = document.body.appendChild(document.createElement('canvas'))",
    'canvas.width = canvas.height = animator.size',
    "const context = canvas.getContext('2d')",
    '',
    ...pictureLines(scene),
    ...(isAbsolute || driving.kind === 'strings' || reference === undefined
      ? []
      : [`await animator.setReference(${poseText(reference)})`]),
    '',
    ...drivingLines(scene),
  ].join('\n')}\n`
}

const opens = ({ picture, driving }: Scene): readonly string[] =>
  picture.kind !== 'file' || driving.kind === 'synthetic' ? ['openClip'] : []

const poseText = ({ value, jacobian }: Pose): string =>
  JSON.stringify({ value, ...(jacobian && { jacobian }) }, (_, part: unknown) =>
    typeof part === 'number' ? Number(part.toFixed(4)) : part,
  )

function pictureLines({ picture: { kind, name, square }, looksForFaces }: Scene): readonly string[] {
  const given = square && `{ crop: { left: ${square.left}, top: ${square.top}, side: ${square.side} } }`
  const isLookedFor = looksForFaces && given === undefined && kind !== 'synthetic'
  const find = 'const [face] = await faces.find(picture)'
  const found = '{ ...(face && { crop: face.head }) }'
  if (kind !== 'file') {
    const file = `await (await fetch(${quoted(encodeURIComponent(name))})).blob()`
    const options = given ?? (isLookedFor ? found : undefined)
    return [
      `const subject = await openClip(${kind === 'film' ? file : quoted(name)}, place, { fit: 'whole' })`,
      'for await (const { picture } of subject.frames({ toFrame: 1 })) {',
      ...(isLookedFor ? [`  ${find}`] : []),
      `  await animator.setSource(picture${options ? `, ${options}` : ''})`,
      '}',
    ]
  }
  const lines = [
    'const picture = new Image()',
    `picture.src = ${quoted(encodeURIComponent(name))}`,
    'await picture.decode()',
  ]
  if (isLookedFor) return [...lines, find, `await animator.setSource(picture, ${found})`]
  return [...lines, `await animator.setSource(picture${given ? `, ${given}` : ''})`]
}

function drivingLines(scene: Scene): readonly string[] {
  const { driving, isAbsolute, paste, smoothing, looksForFaces } = scene
  const show = [
    ...(paste ? ['canvas.width = frame.width', 'canvas.height = frame.height'] : []),
    ...['context?.drawImage(frame, 0, 0)', 'frame.close()'],
  ]
  if (driving.kind === 'strings') {
    const pose = poseText(driving.pose ?? { value: [] })
    const how = paste ? ', { paste: true }' : ''
    return [`const pose = ${pose}`, `const { frame } = await animator.pose(pose${how})`, ...show]
  }
  const options = [
    ...(isAbsolute ? ['absolute: true'] : []),
    ...(paste ? ['paste: true'] : []),
    ...(smoothing ? [`smoothing: { minCutoff: ${smoothing.minCutoff}, beta: ${smoothing.beta} }`] : []),
  ]
  const animate = (what: string, own: readonly string[]) => {
    const all = [...own, ...options]
    return `const { frame } = await animator.animate(${what}${all.length > 0 ? `, { ${all.join(', ')} }` : ''})`
  }
  const loop = (head: string, lines: readonly string[]) => [head, ...lines.map((line) => `  ${line}`), '}']
  if (driving.kind === 'synthetic') {
    return [
      `const clip = await openClip(${quoted(driving.name)}, place)`,
      ...loop('for await (const { picture, time } of clip.frames()) {', [
        animate('picture', ['time']),
        ...show,
        'picture.close()',
      ]),
    ]
  }
  return [
    "const video = document.createElement('video')",
    'video.muted = true',
    driving.kind === 'webcam'
      ? 'video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true })'
      : `video.src = ${quoted(encodeURIComponent(driving.name))}`,
    'await video.play()',
    ...(looksForFaces ? ['const [driver] = await faces.find(video)'] : []),
    ...loop('while (!video.ended) {', [
      animate('video', looksForFaces ? ['...(driver && { crop: driver.head })'] : []),
      ...show,
      'await new Promise(requestAnimationFrame)',
    ]),
  ]
}

/** A text of JavaScript in single quotes. */
const quoted = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`
