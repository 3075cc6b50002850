/** What Windows keeps in folders that were looked at. */
const windows: readonly string[] = ['Thumbs.db', 'desktop.ini']

/**
 * Whether a name in a folder is nobody's work: hidden ones, which temporaries are too, and those of file managers. A
 * folder that holds no others counts as empty.
 */
export function isIncidental(name: string): boolean {
  return name.startsWith('.') || windows.includes(name)
}
