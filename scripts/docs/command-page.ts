// docs/cli.md: the reference of the command line, made from the help of the commands.

import type { Command } from 'commander'
import { createProgram } from '../../src/cli/program.ts'
import { type DescribedLoss, distilLosses, trainLosses } from '../../src/train/losses.ts'
import { generated } from './tables.ts'

/** The options of every command, described once. */
const common = new Set(['--json', '--quiet', '--help'])

const introduction = `Every command takes \`--json\`, \`--quiet\` and \`--help\`.

With \`--json\`, stdout contains one JSON value: the result, or \`{"error": ...}\` with what is wrong, where, the value that
was given, the values that are expected, and a remedy. Progress goes to stderr: a bar on a terminal, JSON lines elsewhere.
\`--quiet\` prints no progress.

${table(
  ['Exit code', 'Meaning'],
  [
    ['0', 'success. A training that Ctrl-C stopped has saved its run, and counts as success'],
    ['1', 'failure: the machine lacks something, or a bug'],
    ['2', 'bad usage or bad input'],
    [
      '130',
      'stopped by Ctrl-C before anything was written; 143 by SIGTERM, 129 by a terminal that was closed',
    ],
  ],
)}

${table(
  ['Environment variable', 'Meaning'],
  [
    [
      '`PANTIN_THREADS`',
      'number of cores that any command uses: threads of an op, replicas of a training, and frames that are painted at a time',
    ],
    ['`PANTIN_CHROMIUM`', 'path of the Chromium that `bench browser` starts'],
    [
      '`ORT_DISABLE_TELEMETRY`',
      "`0` lets ONNX Runtime tell its maker which models it runs (Linux, macOS). pantin sets `1` where the variable isn't set",
    ],
  ],
)}

A _clip_ is a video file. Other names are clips too:

${table(
  ['Name', 'Clip'],
  [
    ['`clip.mp4`', 'a video that the codecs read: mp4, mov, mkv, webm or ts. An animated gif, webp or png'],
    [
      '`folder`',
      'all videos in the folder, where a command takes several clips. A folder of numbered pictures is one clip',
    ],
    ['`picture.jpg`', 'one frame, where a command takes pictures'],
    ['`puppet:7`', 'a synthetic paper puppet from the seed 7, with known joints'],
    [
      '`puppet:7,frames=48,rate=8,size=64`',
      'the same, with its number of frames, frames per second and side in pixels',
    ],
    ['`puppet:1..200`', 'two hundred puppets'],
    [
      '`head:7`',
      'a synthetic head from the seed 7, with the same options, and with `framing=close` (or `portrait`, `wide`, `far`) and `light=soft` (or `hard`, `dim`)',
    ],
  ],
)}`

/** The whole page. */
export function commandPage(): string {
  const { commands } = createProgram(new AbortController().signal)
  return `${[
    generated,
    '# The command line',
    introduction,
    table(
      ['Command', 'What it does'],
      commands.map((command) => [`[\`${command.name()}\`](#pantin-${command.name()})`, command.summary()]),
    ),
    ...commands.map(section),
    '## Losses',
    'Names for `--losses`. A loss with the weight 0 is left out, unless `--losses` gives it another weight.',
    'Of `train`:',
    lossTable(trainLosses.all),
    'Of `distil` and `search`:',
    lossTable(distilLosses.all),
  ].join('\n\n')}\n`
}

function section(command: Command): string {
  const help = command.createHelp()
  const words = help.visibleArguments(command)
  const options = help.visibleOptions(command).filter(({ long }) => !common.has(long ?? ''))
  return [
    `## pantin ${command.name()}`,
    `\`\`\`\n${help.commandUsage(command)}\n\`\`\``,
    described(command.description()),
    words.length === 0
      ? ''
      : table(
          ['Argument', 'Meaning'],
          words.map((word) => [
            `\`${word.name().replaceAll('|', '\\|')}\``,
            cell(help.argumentDescription(word)),
          ]),
        ),
    options.length === 0
      ? ''
      : table(
          ['Option', 'Meaning'],
          options.map((option) => [
            `\`${option.flags.replaceAll('|', '\\|')}\``,
            cell(help.optionDescription(option)),
          ]),
        ),
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}

const lossTable = (losses: readonly DescribedLoss[]): string =>
  table(
    ['Loss', 'Usual weight', 'What it compares'],
    losses.map(({ name, weight, help }) => [`\`${name}\``, String(weight), cell(help)]),
  )

/** Indented lines of a description are a list, which Markdown shows as it stands. */
const described = (text: string) =>
  text
    .split('\n\n')
    .map((paragraph) =>
      paragraph.startsWith('  ') ? `\`\`\`\n${paragraph.replace(/^ {2}/gm, '')}\n\`\`\`` : paragraph,
    )
    .join('\n\n')

/** A table of words: all columns are left-aligned. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
}

/** Text as a cell of a table. */
const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('<', '\\<')
