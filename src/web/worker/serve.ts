import type { Answer, Call, MethodName, WorkerEvent, WorkerMethods } from '../calls.ts'
import { sentError } from '../problems.ts'

/** The little of a worker's own globals that is used; their types do not go together with a page's. */
interface WorkerScope {
  onmessage: ((event: MessageEvent<Call>) => void) | null
  postMessage(message: Answer, transfer?: Transferable[]): void
}
const scope = globalThis as unknown as WorkerScope

type Result<M extends MethodName> = ReturnType<WorkerMethods[M]> | Promise<ReturnType<WorkerMethods[M]>>

/** A worker's methods, each with what its answer hands over to the page. */
export type Methods = {
  readonly [M in MethodName]: (request: Parameters<WorkerMethods[M]>[0]) => Result<M>
}

/** Answers the page's calls. They overlap where a method does not queue them itself. */
export function serve(methods: Methods): void {
  scope.onmessage = ({ data: { id, method, request } }) => {
    // The connection's types have matched method and request.
    const carryOut = methods[method] as (request: unknown) => unknown
    void (async () => carryOut(request))()
      .then((value) => scope.postMessage({ id, value }, bitmapsIn(value)))
      .catch((error: unknown) => scope.postMessage({ id, error: sentError(error) }))
  }
}

/** Says something unasked. */
export const tell = (event: WorkerEvent): void => scope.postMessage({ event })

/** Pictures are handed over, not copied. They stand at the top of an answer. */
function bitmapsIn(value: unknown): Transferable[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).filter((part): part is ImageBitmap => part instanceof ImageBitmap)
}
