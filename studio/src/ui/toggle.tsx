// A check box.
import type { Signal } from '@preact/signals'

interface ToggleProps {
  readonly label: string
  readonly value: Signal<boolean>
  readonly disabled?: boolean
}

/** A check box that sets a signal. */
export function Toggle({ label, value, disabled = false }: ToggleProps) {
  return (
    <label class="toggle">
      <input
        type="checkbox"
        checked={value.value}
        disabled={disabled}
        onChange={(event) => {
          value.value = event.currentTarget.checked
        }}
      />
      {label}
    </label>
  )
}
