// The choices on the view Animate. They outlive the view.
import { signal } from '@preact/signals'
import type { DrivingChoice } from '../core/driving.ts'
import { stored } from '../core/stored.ts'
import type { Trouble } from '../core/trouble.ts'

/** The puppets that are offered: seeds of good-looking ones. */
export const puppets = [7, 3, 12, 21] as const

export const puppetPicture = (n: number): string => `puppet:${n},frames=1,size=256`
export const puppetDriving = (n: number): string => `puppet:${n},frames=75,size=256`

export interface PictureChoice {
  readonly name: string
  /** A puppet, or a file. */
  readonly source: string | Blob
}

export const picture = signal<PictureChoice>({ name: 'puppet 7', source: puppetPicture(7) })
export const driving = signal<DrivingChoice>({ kind: 'puppet', name: puppetDriving(3) })

export const points = stored('overlay.points', true)
export const axes = stored('overlay.axes', false)
export const heatmap = stored('overlay.heatmap', false)
export const motion = stored<'relative' | 'absolute'>('motion', 'relative', ['relative', 'absolute'])
export const smooths = stored('smoothing', true)
export const minCutoff = stored('smoothing.minCutoff', 1.5)
export const beta = stored('smoothing.beta', 0.3)

export type Status = 'loading' | 'running' | 'paused' | 'failed'
export const status = signal<Status>('loading')
/** The name of what the view waits for. */
export const waitingFor = signal('the model')
export const trouble = signal<Trouble | undefined>(undefined)

/** Milliseconds of each stage, and frames per second, over the last frames. */
export interface Speed {
  readonly framesPerSecond: number
  readonly prepare: number
  readonly detect: number
  readonly generate: number
  readonly show: number
}
export const speed = signal<Speed | undefined>(undefined)
