// Faces in the worker: the networks of pantin's assets, on the CPU.
import { type Face, type FaceFinder, openFaceFinder } from '../../faces/finder.ts'
import { faceAsset, readFaceWeights } from '../../faces/weights.ts'
import { loadWebRuntime, webSessions } from '../../runtime/web.ts'
import type { SentPlace } from '../connection.ts'
import type { SentPicture } from '../picture.ts'
import { fetchAsset } from './assets.ts'
import { PictureReader } from './pixels.ts'

let opened: Promise<FaceFinder> | undefined

/** What finds faces, opened once in a worker. @throws EnvironmentError if a file is missing. */
export function webFaces(place: SentPlace): Promise<FaceFinder> {
  opened ??= open(place).catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open({ assets, runtimeFolder }: SentPlace): Promise<FaceFinder> {
  const address = `${assets}${faceAsset}`
  const weights = await readFaceWeights(await fetchAsset(address, 'the networks that find faces'), address)
  const runtime = await loadWebRuntime({ folder: runtimeFolder, device: 'cpu', threads: 1 })
  return openFaceFinder(weights, webSessions(runtime))
}

/** The faces of a picture. @throws InputError for one that cannot be read. */
export async function findFaces(finder: FaceFinder, picture: SentPicture): Promise<Face[]> {
  return finder.find(await new PictureReader(0, 'crop').whole(picture))
}
