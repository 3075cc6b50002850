// A button that opens the browser’s file chooser.
import { useRef } from 'preact/hooks'

interface FileButtonProps {
  readonly label: string
  readonly accept?: string
  readonly multiple?: boolean
  readonly folder?: boolean
  onFiles(files: File[]): void
}

/** Chooses files. The browser's own control is hidden, and a button opens it, so that it looks like other buttons. */
export function FileButton({ label, accept, multiple = false, folder = false, onFiles }: FileButtonProps) {
  const input = useRef<HTMLInputElement>(null)
  return (
    <>
      <button type="button" onClick={() => input.current?.click()}>
        {label}
      </button>
      <input
        ref={input}
        type="file"
        hidden
        aria-hidden="true"
        tabIndex={-1}
        accept={accept}
        multiple={multiple}
        {...(folder && { webkitdirectory: true })}
        data-for={label}
        onChange={(event) => {
          const files = [...(event.currentTarget.files ?? [])]
          // Without this, the same file could not be chosen again.
          event.currentTarget.value = ''
          if (files.length > 0) onFiles(files)
        }}
      />
    </>
  )
}
