import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Where distributions put the description of Chromium's software Vulkan driver, or of Mesa's. */
const folders = [
  '/usr/lib/chromium',
  '/usr/lib/chromium-browser',
  '/opt/google/chrome',
  '/usr/share/vulkan/icd.d',
]
const drivers = [/^vk_swiftshader_icd\.json$/, /^lvp_icd\..*json$/]

/**
 * Environment for a child process whose WebGPU then runs on the CPU through a software Vulkan driver: slow,
 * but a true test of that path. `PANTIN_TEST_VULKAN` names the description of another driver. Undefined where no driver is
 * installed.
 */
export function softwareVulkan(): NodeJS.ProcessEnv | undefined {
  const named = process.env.PANTIN_TEST_VULKAN
  if (named !== undefined) return { ...process.env, VK_DRIVER_FILES: named, VK_ICD_FILENAMES: named }
  for (const driver of drivers) {
    for (const folder of folders) {
      const name = existsSync(folder) ? readdirSync(folder).find((entry) => driver.test(entry)) : undefined
      if (name === undefined) continue
      const file = join(folder, name)
      return { ...process.env, VK_DRIVER_FILES: file, VK_ICD_FILENAMES: file }
    }
  }
  return undefined
}

/** The reason to give where tests are skipped. */
export const withoutVulkan = 'no software Vulkan driver (Debian: apt install chromium)'
