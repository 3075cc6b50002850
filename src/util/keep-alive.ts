// Keeps Node's event loop alive during native work: ONNX Runtime's and the codecs' threads do not.

/**
 * Awaits work in native threads. A process that waits for nothing else would exit in the middle; a timer that never
 * fires keeps it alive.
 */
export async function keepAlive<T>(work: Promise<T> | T): Promise<T> {
  const timer = setInterval(() => {}, 0x7fffffff)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}
