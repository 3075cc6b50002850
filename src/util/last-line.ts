/**
 * What a process said last, as `: text`; empty where it said nothing. Errors of Python and Node say what happened in
 * their last line, or above Node's version.
 */
export function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !/^Node\.js v|^\s+at /.test(line))
  return lines.length === 0 ? '' : `: ${lines.at(-1)!.trim()}`
}
