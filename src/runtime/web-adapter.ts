/** A browser's GPU. */
export interface AdapterInfo {
  /** Vendor, architecture and description, as far as the browser tells. */
  readonly name: string
  /** Whether it computes on the CPU after all. */
  readonly software: boolean
}

/** The little of WebGPU's interface that is asked here; its types would bring a page's globals with them. */
interface Gpu {
  requestAdapter(options: { powerPreference: 'high-performance' }): Promise<{
    readonly info?: Partial<Record<'vendor' | 'architecture' | 'device' | 'description', string>> & {
      readonly isFallbackAdapter?: boolean
    }
    readonly isFallbackAdapter?: boolean
  } | null>
}

/** The adapter that WebGPU would use; undefined where there is none. */
export async function findAdapter(): Promise<AdapterInfo | undefined> {
  const { navigator } = globalThis as { readonly navigator?: { readonly gpu?: Gpu } }
  const adapter = await navigator?.gpu?.requestAdapter({ powerPreference: 'high-performance' })
  if (adapter === null || adapter === undefined) return undefined
  const { vendor, architecture, device, description } = adapter.info ?? {}
  const name = [vendor, architecture, device, description].filter(Boolean).join(' ') || 'unknown'
  const fallback = adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false
  // Chromium does not call its software adapter a fallback where it was told to use it.
  return { name, software: fallback || /swiftshader|llvmpipe|software/i.test(name) }
}
