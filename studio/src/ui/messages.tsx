// Shows messages over the page.
import { dismiss, messages } from '../core/messages.ts'

/** Stands over the page, so that nothing moves when a message comes. */
export function Messages() {
  return (
    <div class="messages" role="status" aria-live="polite">
      {messages.value.map(({ id, kind, text }) => (
        <div key={id} class={`message ${kind}`}>
          <p>{text}</p>
          <button type="button" class="plain" aria-label="Dismiss" onClick={() => dismiss(id)}>
            ×
          </button>
        </div>
      ))}
    </div>
  )
}
