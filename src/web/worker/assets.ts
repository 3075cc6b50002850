// Pantin's assets in the worker: fetched from the address that the page names.
import { EnvironmentError, messageOf } from '../../util/errors.ts'

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
