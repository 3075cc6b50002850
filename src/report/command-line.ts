// A command for the reader to type, quoted for the shell of this platform.

/** Words as one command. Words that the shell would change are in quotes. */
export function commandLine(words: readonly string[], platform: string = process.platform): string {
  return words.map(platform === 'win32' ? quotedForWindows : quoted).join(' ')
}

const quoted = (word: string) => (/^[\w./:=,@+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** cmd.exe knows no single quotes. Programs read backslashes as such, except those before a double quote. */
const quotedForWindows = (word: string) =>
  /^[\w.\\/:=+-]+$/.test(word) ? word : `"${word.replaceAll(/(\\*)"/g, '$1$1\\"').replace(/\\+$/, '$&$&')}"`
