import { computed, signal } from '@preact/signals'
import {
  type MetricsRecord,
  storedRuns,
  Trainer,
  type TrainSettings,
  type WebRun,
  type WebTrainEvent,
} from 'pantin/web'
import { type CurvePoint, curvePointsOf, heldOutOf, termsOf } from '../core/curves.ts'
import { complain, say } from '../core/messages.ts'
import { place, showComputing } from '../core/place.ts'
import { refreshStored, stored } from '../core/runs.ts'
import { type Trouble, troubleOf } from '../core/trouble.ts'
import { type ClipChoice, markRead } from './clips.ts'

/** The training of this page. It goes on whatever view is shown, and in a tab that is out of sight. */

export interface Job {
  readonly name: string
  readonly state: 'decoding' | 'training' | 'saving' | 'paused' | 'finished' | 'failed'
  readonly decoded: { readonly done: number; readonly total: number } | undefined
  readonly last: Extract<WebTrainEvent, { kind: 'step' }> | undefined
  readonly savedAt: number | undefined
  readonly preview:
    | { readonly step: number; readonly address: string; readonly measures: Readonly<Record<string, number>> }
    | undefined
  readonly trouble: Trouble | undefined
}

export const job = signal<Job | undefined>(undefined)
/** Losses by step, replaced a few times a second at most. */
export const curve = signal<readonly CurvePoint[]>([])
/** Errors on held-out frames by step. */
export const heldOut = signal<readonly CurvePoint[]>([])
/** What came of it, once it is paused or finished. */
export const result = signal<WebRun | undefined>(undefined)
/** Whether storage had no room for some of it. */
export const inMemory = signal(false)
/** Whether what came of it was downloaded. */
export const downloaded = signal(false)
/** Whether this page has the only copy. */
export const isOnlyCopy = computed(() => inMemory.value && !downloaded.value)
/** What storage has of the run, where that can be trained further. */
export const resumable = computed(() =>
  stored.value.find((run) => run.name === job.value?.name && run.resumable),
)

/** Whether frames of clips were read for a training that has not begun. */
export const isReading = computed(() => job.value?.state === 'decoding' && job.value.decoded !== undefined)

/** The first clip of the training, if it was begun since the page was opened. */
export const firstClip = signal<ClipChoice | undefined>(undefined)

/** The name that somebody gave to the next run. Without one, it gets the first name that is free. */
export const chosenName = signal<string | undefined>(undefined)

let trainer: Trainer | undefined
/** Ends the reading of clips. */
let reading = new AbortController()
let points: CurvePoint[] = []
let ending: 'paused' | 'finished' = 'finished'

export async function start(
  name: string,
  clips: readonly ClipChoice[],
  settings: TrainSettings,
): Promise<void> {
  begin(name)
  firstClip.value = clips[0]
  const sources = clips.map(({ source }) => source)
  await carryOut(async (place) => {
    const opened = await Trainer.start(sources, settings, { ...place, name })
    markRead(clips)
    return opened
  })
}

/** Goes on with a run of this browser's storage, its curve before it. */
export async function resume(name: string): Promise<void> {
  if (job.peek()?.name !== name) firstClip.value = undefined
  begin(name)
  const all = await recorded(name)
  points = all.filter(({ loss }) => loss !== undefined)
  curve.value = points
  heldOut.value = all.filter((point) => point.heldOut !== undefined)
  await carryOut(async (place) => {
    const opened = await Trainer.resume(name, place)
    // What it goes on from is in storage.
    inMemory.value = false
    return opened
  })
}

export async function pause(): Promise<void> {
  update({ state: 'saving' })
  await trainer?.pause()
}

/** Ends the reading of clips, before training has begun. The form is as it was. */
export const cancel = (): void => reading.abort()

/** Makes place for another training. What this page alone has is gone then. */
export function leave(): void {
  chosenName.value = undefined
  job.value = undefined
  forget()
}

function forget(): void {
  result.value = undefined
  inMemory.value = false
  downloaded.value = false
}

/** The result of the training before stays until the next has begun, because it may be the only copy. */
function begin(name: string): void {
  points = []
  curve.value = []
  heldOut.value = []
  const old = job.peek()?.preview
  if (old !== undefined) URL.revokeObjectURL(old.address)
  job.value = {
    name,
    state: 'decoding',
    ...{ decoded: undefined, last: undefined, savedAt: undefined, preview: undefined, trouble: undefined },
  }
}

type Open = (place: Parameters<typeof Trainer.resume>[1]) => Promise<Trainer>

async function carryOut(open: Open): Promise<void> {
  reading = new AbortController()
  const { signal } = reading
  try {
    // A GPU that is lost, storage that is full: the library goes on, and says how.
    trainer = await open({ ...place.peek(), onEvent: take, signal })
    update({ state: 'training' })
    result.value = undefined
    downloaded.value = false
    const run = await trainer.done
    // The list tells whether it can go on.
    await refreshStored()
    result.value = run
    update({ state: ending })
    say(endText())
  } catch (error) {
    if (signal.aborted) job.value = undefined
    else update({ state: 'failed', trouble: troubleOf(error) })
    if (result.peek() === undefined) {
      const isLost = inMemory.peek() && job.peek()?.savedAt !== undefined
      if (isLost) say('What storage had no room for is lost with this training.', 'error')
      forget()
    }
    await refreshStored()
  } finally {
    trainer = undefined
  }
}

function endText(): string {
  const text = `Training is ${ending}`
  if (inMemory.peek()) return `${text}. Storage is full: download the run before you leave the page.`
  if (ending === 'finished') return `${text}.`
  return resumable.peek() === undefined
    ? `${text}; what it has learned is saved.`
    : `${text}; all of it is saved.`
}

function take(event: WebTrainEvent): void {
  switch (event.kind) {
    case 'decode':
      update({ decoded: event })
      break
    case 'step':
      addStep(event)
      break
    case 'still':
      say(`${event.clip}: nothing moves in this clip, so nothing is learned from it.`, 'error')
      break
    case 'preview':
      showPreview(event)
      break
    case 'saved':
      update({ savedAt: event.step })
      inMemory.value = event.inMemory
      break
    case 'paused':
    case 'finished':
      curve.value = [...points]
      ending = event.kind
      break
    case 'failed':
      update({
        state: 'failed',
        trouble: { what: event.message, ...(event.remedy && { remedy: event.remedy }) },
      })
      break
    case 'notice':
      if (event.notice.kind === 'storage-full') inMemory.value = true
      break
  }
}

/** There may be many steps per second. Curves are drawn twice per second. */
const drawEvery = 500
let drawnAt = 0

function addStep(event: Extract<WebTrainEvent, { kind: 'step' }>): void {
  points.push({ step: event.step, loss: event.loss, terms: termsOf(event.terms) })
  showComputing({ device: event.device, threads: place.peek().threads ?? defaultThreads() })
  const now = performance.now()
  if (now - drawnAt < drawEvery && event.progress < 1) return
  drawnAt = now
  curve.value = thinned(points)
  update({ last: event })
}

const defaultThreads = (): number => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1)

/** More points than pixels show nothing more. */
const mostPoints = 1500

function thinned(all: readonly CurvePoint[]): CurvePoint[] {
  const every = Math.ceil(all.length / mostPoints)
  return every <= 1 ? [...all] : all.filter((_, i) => i % every === 0 || i === all.length - 1)
}

function showPreview({ step, picture, measures }: Extract<WebTrainEvent, { kind: 'preview' }>): void {
  const old = job.peek()?.preview
  update({ preview: { step, measures, address: URL.createObjectURL(picture) } })
  const error = heldOutOf(measures)
  if (error !== undefined) heldOut.value = [...heldOut.peek(), { step, heldOut: error }]
  if (old !== undefined) URL.revokeObjectURL(old.address)
}

function update(change: Partial<Job>): void {
  const { value } = job
  if (value !== undefined) job.value = { ...value, ...change }
}

/** The curve that a run left in its metrics. */
async function recorded(name: string): Promise<CurvePoint[]> {
  try {
    const run = await storedRuns.open(name)
    const text = await run.files().get('metrics.jsonl')?.text()
    const lines = (text ?? '').split('\n').filter((line) => line !== '')
    return curvePointsOf(lines.map((line) => JSON.parse(line) as MetricsRecord))
  } catch {
    // A run that was left before its first weights has no curve yet.
    return []
  }
}

export const stop = (): void => void pause().catch(complain)
