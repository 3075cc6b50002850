import { connected } from './connection.ts'
import { toParcel } from './send.ts'
import type { Recorder, RecorderOptions, WorkerPlace } from './types.ts'

/**
 * Records pictures to a video file, encoded in a worker.
 *
 * @throws InputError for a size that cannot be recorded, EnvironmentError where the browser encodes no video.
 */
export function createRecorder(options: RecorderOptions, place: WorkerPlace): Promise<Recorder> {
  return connected(place, async (connection) => ({
    ...(await connection.call('openRecorder', options)),
    async add(picture, time) {
      const { transfer, picture: sent } = await toParcel(picture)
      await connection.call('record', { picture: sent, time }, transfer)
    },
    async finish() {
      try {
        return await connection.call('finishRecording', undefined)
      } finally {
        connection.close()
      }
    },
    cancel: () => connection.close(),
  }))
}
