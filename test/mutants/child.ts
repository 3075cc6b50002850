/** Arguments: a kind, a folder to work in, a seed, the first mutant and the number of mutants. Prints a line before and after each. */
import { PantinError } from '../../src/util/errors.ts'
import { Random } from '../../src/util/random.ts'
import { kinds, mutantOf, writeFile } from './kinds.ts'

/** What became of a mutant. */
export interface Line {
  readonly mutant: number
  /** Missing before it is read. */
  readonly outcome?: 'read' | 'refused' | 'wrong'
  /** Of what went wrong, the stack. */
  readonly detail?: string
  /** Most memory of the process so far. */
  readonly peakBytes?: number
}

const [name = '', folder = '', seed = '', first = '', count = ''] = process.argv.slice(2)
const kind = kinds[name]!
const sources = await kind.sources()
const say = (line: Line) => process.stdout.write(`${JSON.stringify(line)}\n`)

// What mutants are made of is read itself.
for (const source of sources) await kind.read(writeFile(kind, folder, source))

async function attempt(path: string): Promise<Pick<Line, 'outcome' | 'detail'>> {
  try {
    await kind.read(path)
    return { outcome: 'read' }
  } catch (error) {
    if (error instanceof PantinError) return { outcome: 'refused' }
    return { outcome: 'wrong', detail: error instanceof Error ? String(error.stack) : String(error) }
  }
}

for (let mutant = Number(first); mutant < Number(first) + Number(count); mutant++) {
  const random = new Random(Number(seed) * 1_000_003 + mutant)
  const path = writeFile(kind, folder, mutantOf(kind, sources[mutant % sources.length]!, random))
  say({ mutant })
  say({ mutant, ...(await attempt(path)), peakBytes: process.resourceUsage().maxRSS * 1024 })
}
