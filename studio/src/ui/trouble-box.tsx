// What failed and what to do about it.
import type { ComponentChildren } from 'preact'
import { upperFirst } from '../core/format.ts'
import type { Trouble } from '../core/trouble.ts'

/** A failure and its remedy. `children` are buttons for the remedy. */
export function TroubleBox({
  trouble,
  children,
}: {
  readonly trouble: Trouble
  readonly children?: ComponentChildren
}) {
  const { what, details, remedy } = trouble
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{upperFirst(what)}.</strong> {remedy && `${upperFirst(remedy)}.`}
      </p>
      {details && <p class="note">{details}</p>}
      {children && <div class="row">{children}</div>}
    </div>
  )
}
