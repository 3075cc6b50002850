// The menu that tells what computes, and lets one choose.
import { useEffect, useRef } from 'preact/hooks'
import {
  computing,
  cores,
  type DeviceChoice,
  deviceChoice,
  devices,
  hasWebGpu,
  inWords,
  isIsolated,
  threadChoice,
} from '../core/place.ts'
import { Choice } from './choice.tsx'

const names: Readonly<Record<DeviceChoice, string>> = {
  auto: 'Automatic',
  cpu: 'WASM',
  webgpu: 'WebGPU',
}

/** Shows the device that computes, and a menu to choose it. */
export function DeviceMenu() {
  const details = useRef<HTMLDetailsElement>(null)
  useEffect(() => {
    const close = (event: Event) => {
      const { current: menu } = details
      if (!menu?.open) return
      const isEscape = event instanceof KeyboardEvent && event.key === 'Escape'
      const isOutside = event.type === 'pointerdown' && !menu.contains(event.target as Node)
      // The focused control goes with the menu, so that the focus returns to the button that opened it.
      if (isEscape && menu.contains(document.activeElement)) menu.querySelector('summary')?.focus()
      if (isEscape || isOutside) menu.open = false
    }
    addEventListener('pointerdown', close)
    addEventListener('keydown', close)
    return () => {
      removeEventListener('pointerdown', close)
      removeEventListener('keydown', close)
    }
  }, [])
  const now = computing.value
  return (
    <details class="device" ref={details}>
      <summary>
        <span class="unseen">Computes on: </span>
        <span class={`brad ${now === undefined ? '' : 'live'}`} />
        <span class="device-name" data-device={now?.device}>
          {now === undefined ? names[deviceChoice.value] : inWords(now)}
        </span>
      </summary>
      <div class="sheet menu">
        <Choice
          legend="Device"
          options={devices.map((value) => ({ value, label: names[value] }))}
          value={deviceChoice.value}
          onChange={(value) => {
            deviceChoice.value = value
          }}
        />
        <label class="field">
          Threads of WASM
          <select
            value={threadChoice.value}
            disabled={!isIsolated}
            onChange={(event) => {
              threadChoice.value = Number(event.currentTarget.value)
            }}
          >
            <option value={0}>one for each core ({cores})</option>
            {[1, 2, 4, 8]
              .filter((n) => n < cores || n === 1)
              .map((n) => (
                <option key={n} value={n}>
                  {n}
                </option>
              ))}
          </select>
        </label>
        <p class="note">
          {hasWebGpu ? 'Automatic uses a hardware GPU if there is one.' : 'This browser has no WebGPU.'}{' '}
          {!isIsolated &&
            'This page is not cross-origin isolated, so that WASM has one thread. pantin studio serves it isolated.'}
          {now?.adapter !== undefined && `GPU: ${now.adapter}.`}
        </p>
      </div>
    </details>
  )
}
