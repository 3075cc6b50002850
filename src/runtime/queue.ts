/** Runs tasks one after the other; a task that fails does not stop those behind it. */
export class SerialQueue {
  private tail: Promise<unknown> = Promise.resolve()

  add<T>(task: () => Promise<T>): Promise<T> {
    const result = this.tail.then(task)
    this.tail = result.catch(() => undefined)
    return result
  }
}
