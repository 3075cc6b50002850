// An area that takes dropped files.
import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import { dropped } from '../core/files.ts'
import { complain } from '../core/messages.ts'

interface DropAreaProps {
  readonly label: string
  readonly class?: string
  readonly children: ComponentChildren
  onDropped(files: Map<string, File>): void
}

/** Takes files that are dropped on it. Buttons in it do the same for the keyboard. */
export function DropArea({ label, class: name = '', children, onDropped }: DropAreaProps) {
  const [isOver, setOver] = useState(false)
  return (
    <section
      class={`drop ${name} ${isOver ? 'over' : ''}`}
      aria-label={label}
      onDragOver={(event) => {
        event.preventDefault()
        setOver(true)
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault()
        setOver(false)
        if (event.dataTransfer !== null) dropped(event.dataTransfer).then(onDropped, complain)
      }}
    >
      {children}
    </section>
  )
}
