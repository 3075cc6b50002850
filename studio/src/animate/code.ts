// The present state of the view Animate as a command, and as code for a page of one's own.
import type { Pose, Square } from 'pantin/web'

/** A synthetic clip by its name, or a file by its name. */
export interface Source {
  readonly kind: 'synthetic' | 'file'
  readonly name: string
}

/** What is shown. */
export interface Scene {
  /** The name of a starter, or of a run. */
  readonly model: string
  readonly picture: Source & {
    /** The square that somebody chose. */
    readonly square?: Square | undefined
  }
  readonly driving: Source | { readonly kind: 'webcam' } | { readonly kind: 'strings'; readonly pose?: Pose }
  readonly isAbsolute: boolean
  readonly smoothing: false | { readonly minCutoff: number; readonly beta: number }
  /** Whether heads are looked for in files and in the webcam. */
  readonly looksForFaces: boolean
}

/** The command that makes this film; undefined if none does, because no video drives. */
export function commandOf({ model, picture, driving, isAbsolute, smoothing }: Scene): string | undefined {
  if (driving.kind === 'webcam' || driving.kind === 'strings') return undefined
  return [
    'npx pantin animate',
    word(model),
    `--source ${word(picture.name)}`,
    `--driving ${word(driving.name)}`,
    '--out moved.mp4',
    // The page takes the first frame of what drives as the reference.
    isAbsolute ? '--absolute' : '--reference first',
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
  const { model, picture, driving, looksForFaces } = scene
  const isLive = driving.kind === 'file' || driving.kind === 'webcam'
  const isLookedFor = looksForFaces && ((picture.kind === 'file' && picture.square === undefined) || isLive)
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
    '',
    ...drivingLines(scene),
  ].join('\n')}\n`
}

const opens = ({ picture, driving }: Scene): readonly string[] =>
  picture.kind === 'synthetic' || driving.kind === 'synthetic' ? ['openClip'] : []

function pictureLines({ picture: { kind, name, square }, looksForFaces }: Scene): readonly string[] {
  const given = square && `{ crop: { left: ${square.left}, top: ${square.top}, side: ${square.side} } }`
  if (kind === 'synthetic') {
    return [
      `const subject = await openClip(${quoted(name)}, place)`,
      `for await (const { picture } of subject.frames()) await animator.setSource(picture${given ? `, ${given}` : ''})`,
    ]
  }
  const lines = [
    'const picture = new Image()',
    `picture.src = ${quoted(encodeURIComponent(name))}`,
    'await picture.decode()',
  ]
  if (given !== undefined) return [...lines, `await animator.setSource(picture, ${given})`]
  if (!looksForFaces) return [...lines, 'await animator.setSource(picture)']
  return [
    ...lines,
    'const [face] = await faces.find(picture)',
    'await animator.setSource(picture, { ...(face && { crop: face.head }) })',
  ]
}

function drivingLines(scene: Scene): readonly string[] {
  const { driving, isAbsolute, smoothing, looksForFaces } = scene
  const show = ['context?.drawImage(frame, 0, 0)', 'frame.close()']
  if (driving.kind === 'strings') {
    const { value = [], jacobian } = driving.pose ?? {}
    const pose = JSON.stringify({ value, ...(jacobian && { jacobian }) }, (_, part: unknown) =>
      typeof part === 'number' ? Number(part.toFixed(4)) : part,
    )
    return [`const pose = ${pose}`, 'const { frame } = await animator.pose(pose)', ...show]
  }
  const options = [
    ...(isAbsolute ? ['absolute: true'] : []),
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
