/** A command to type, for a shell of this platform: a name that it would read otherwise is in quotes. */
export function commandLine(words: readonly string[], platform: string = process.platform): string {
  return words.map(platform === 'win32' ? quotedForWindows : quoted).join(' ')
}

const quoted = (word: string) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** cmd.exe knows no single quotes. Programs read backslashes as such, but for those before a double quote. */
const quotedForWindows = (word: string) =>
  /^[\w.\\/:=+-]+$/.test(word) ? word : `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`
