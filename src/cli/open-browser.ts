import { messageOf } from '../util/errors.ts'

/**
 * Opens an address in the default browser.
 *
 * @returns a remark for a person where that cannot be; undefined where it was done, or there is no screen to do it on.
 */
export async function openBrowser(address: string): Promise<string | undefined> {
  const { DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME } = process.env
  const hasScreen = process.platform !== 'linux' || DISPLAY || WAYLAND_DISPLAY || WSL_DISTRO_NAME
  if (!hasScreen) return undefined
  try {
    const { default: open } = await import('open')
    const child = await open(address)
    // A program that is missing is told of later, and would end this process if nobody listened.
    child.on('error', () => {})
    return undefined
  } catch (error) {
    return `pantin: no browser could be opened (${messageOf(error)}); open the address above`
  }
}
