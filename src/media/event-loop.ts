/**
 * Awaits native codec work. Its threads do not keep Node's event loop alive, so that a process that waits
 * for nothing else would exit in the middle; a timer that never fires does.
 */
export async function keepAlive<T>(work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, 0x7fffffff)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
