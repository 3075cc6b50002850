// Pantin's assets in the worker: fetched from the address that the page names. Among them are the networks that find faces.

import { type Face, type FaceFinder, openFaceFinder } from '../../faces/finder.ts'
import { faceAsset, readFaceWeights } from '../../faces/networks.ts'
import { loadWebRuntime, webSessions } from '../../runtime/web.ts'
import { EnvironmentError, messageOf } from '../../util/errors.ts'
import type { SentPlace } from '../connection.ts'
import type { SentPicture } from '../picture.ts'
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

/**
 * The bytes of an asset.
 *
 * @param address of the asset
 * @param what it is, for messages: `the shapes of synthetic heads`
 * @throws EnvironmentError if it is not there.
 */
export async function fetchAsset(address: string, what: string): Promise<Uint8Array> {
  const missing = (got: string) =>
    new EnvironmentError({
      what: `${what} are not there`,
      where: address,
      got,
      remedy: "serve pantin's assets folder, and name its address as assetsFolder",
    })
  const response = await fetch(address).catch((error: unknown) => {
    throw missing(messageOf(error))
  })
  if (!response.ok) throw missing(`status ${response.status}`)
  return new Uint8Array(await response.arrayBuffer())
}
