// Files that people choose, drop and download.

/** Downloads a file. */
export function download(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
  // The browser reads the file after the click has been handled.
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

/** The files of a chosen folder, by their paths. */
export function filesByPath(files: Iterable<File>): Map<string, Blob> {
  return new Map(Array.from(files, (file) => [file.webkitRelativePath || file.name, file] as const))
}

/** Refuses files that are dropped beside all areas for them: the browser would open the file, and the page would be lost. */
export function refuseFilesBeside(): void {
  const refuse = (event: DragEvent) => {
    const { dataTransfer: data } = event
    // An area has taken the event, or something else is dragged, such as text.
    if (event.defaultPrevented || !data?.types.includes('Files')) return
    event.preventDefault()
    data.dropEffect = 'none'
  }
  addEventListener('dragover', refuse)
  addEventListener('drop', refuse)
}

/** Dropped files, or the files of a dropped folder, by their paths. */
export async function dropped(data: DataTransfer): Promise<Map<string, File>> {
  // The entries exist only during the event, so that all are taken first.
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry()).filter((entry) => entry !== null)
  const files = Array.from(data.files)
  if (!entries.some((entry) => entry.isDirectory)) return new Map(files.map((file) => [file.name, file]))
  const found = new Map<string, File>()
  for (const entry of entries) await collect(entry, '', found)
  return found
}

/** More files than any run has. A large folder that was dropped by mistake is not read to its end. */
const mostFiles = 2000

async function collect(entry: FileSystemEntry, path: string, into: Map<string, File>): Promise<void> {
  if (into.size >= mostFiles) return
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    )
    into.set(path + entry.name, file)
  } else {
    const reader = (entry as FileSystemDirectoryEntry).createReader()
    for (;;) {
      const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      )
      if (some.length === 0) return
      for (const one of some) await collect(one, `${path}${entry.name}/`, into)
    }
  }
}
