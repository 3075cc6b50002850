// The worker's end of a connection: it answers the page's calls, and tells events.
import type { NetworkEvent } from '../networks.ts'
import { type Answer, type Call, type Methods, sentError } from '../protocol.ts'
import type { TrainingEvent } from '../trainer.ts'

/** The few globals of a worker that are used. The types of a worker and of a page exclude each other. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Call>) => void) | null
  postMessage(message: Answer, transfer?: Transferable[]): void
}
const scope = globalThis as unknown as WorkerScope

/** A table of methods, which may answer later. */
type Implementation<M extends Methods<M>> = {
  readonly [Name in keyof M]: (
    request: Parameters<M[Name]>[0],
  ) => ReturnType<M[Name]> | Promise<ReturnType<M[Name]>>
}

/** Answers the page's calls. They overlap unless a method queues them itself. */
export function serve<M extends Methods<M>>(methods: Implementation<M>): void {
  scope.onmessage = ({ data: { id, method, request } }) => {
    // The connection's types have matched method and request.
    const carryOut = methods[method as keyof M] as (request: unknown) => unknown
    void (async () => carryOut(request))()
      .then((value) => scope.postMessage({ id, value }, bitmapsIn(value)))
      .catch((error: unknown) => scope.postMessage({ id, error: sentError(error) }))
  }
}

/** Tells the page something that it did not ask for. */
export const tell = (event: NetworkEvent | TrainingEvent): void => scope.postMessage({ event })

/** Pictures are handed over, not copied. They stand at the top of an answer. */
function bitmapsIn(value: unknown): Transferable[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).filter((part): part is ImageBitmap => part instanceof ImageBitmap)
}
