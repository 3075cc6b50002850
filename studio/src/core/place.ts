// The device that computes: the one that a person asks for, and the one that is really used.
import { computed, signal } from '@preact/signals'
import type { WebPlace } from 'pantin/web'
import { say } from './messages.ts'
import { stored } from './stored.ts'

export const devices = ['auto', 'cpu', 'webgpu'] as const
export type DeviceChoice = (typeof devices)[number]

export const deviceChoice = stored<DeviceChoice>('device', 'auto', devices)
/** 0: one for each core. */
export const threadChoice = stored<number>('threads', 0)

export const isIsolated = globalThis.crossOriginIsolated === true
export const hasWebGpu = 'gpu' in navigator
export const cores = navigator.hardwareConcurrency || 1

export interface Computing {
  readonly device: 'cpu' | 'webgpu'
  readonly threads: number
  readonly adapter?: string | undefined
}

/** The device of the model that was opened last; undefined before the first. */
export const computing = signal<Computing | undefined>(undefined)

/** Shows the device that is really used. Signals compare by identity, so that an equal value is not set again. */
export function showComputing({ device, threads, adapter }: Computing): void {
  const now = computing.peek()
  if (now?.device !== device || now.threads !== threads) computing.value = { device, threads, adapter }
}

export const place = computed(
  (): WebPlace => ({
    runtimeFolder: 'ort/',
    workerUrl: 'worker.js',
    assetsFolder: 'pantin/',
    device: deviceChoice.value,
    ...(isIsolated && threadChoice.value > 0 && { threads: Math.min(threadChoice.value, cores) }),
    onNotice: ({ message }) => say(message, 'error'),
  }),
)

export function inWords({ device, threads }: Pick<Computing, 'device' | 'threads'>): string {
  return device === 'webgpu' ? 'WebGPU' : `WASM, ${threads} ${threads === 1 ? 'thread' : 'threads'}`
}
