// `pantin compress`: a run made smaller and faster, with a report of what that costs.
import { compressOptions } from '../../compress/options.ts'
import { defined, given, type OptionValues } from '../../util/options.ts'
import { type AddCommand, type Context, withCommonFlags, withPlugins } from '../context.ts'
import {
  assertReportFiles,
  type CropFlags,
  type ReportFlags,
  runArgument,
  withCropFlags,
  withFlags,
  withReportFlags,
} from '../options.ts'

interface CompressFlags extends CropFlags, ReportFlags, OptionValues<typeof compressOptions> {
  readonly out: string
  readonly force?: true
}

/** `pantin compress RUN VIDEO... --out RUN2`. */
export const addCompress: AddCommand = (program, call) => {
  const command = program
    .command('compress')
    .summary('make a trained model smaller and faster')
    .description(
      'Writes a smaller and faster copy of a run: weights in half precision, networks in eight bits where that is faster, and with --prune fewer channels. Each step is measured on your videos.',
    )
    .argument(...runArgument)
    .argument('<video...>', 'videos or folders of them, to calibrate and to measure on')
    .requiredOption('-o, --out <run>', 'folder to write the compressed run to')
  withReportFlags(command, 'a report as one page').option(
    '--force',
    'replace an existing run, and existing files',
  )
  withFlags(command, compressOptions)
  withCommonFlags(withPlugins(withCropFlags(command))).action(call(runCompress))
}

async function runCompress(
  { reporter, signal }: Context,
  run: string,
  videos: string[],
  flags: CompressFlags,
): Promise<void> {
  const { html, csv, out, force = false, fit, crop, face } = flags
  await assertReportFiles(flags, force)
  const { writeFileAtomic } = await import('../../files/atomic.ts')
  const { compress } = await import('../../compress/compress.ts')
  const { compressionCsv, compressionPage, describeCompression } = await import(
    '../../report/compression-page.ts'
  )
  await reporter.prepare()
  let done = 0
  const found = await compress(run, videos, {
    ...given(compressOptions, flags),
    ...defined({ fit, crop, face }),
    ...{ out, force, signal },
    onProgress: (now) => reporter.progress({ phase: 'compress', done: ++done, unit: 'trials', now }),
  })
  reporter.warn(found.notices)
  if (html !== undefined) await writeFileAtomic(html, compressionPage(found))
  if (csv !== undefined) await writeFileAtomic(csv, compressionCsv(found))
  reporter.result({ ...found, html: html ?? null, csv: csv ?? null }, () =>
    [
      describeCompression(found),
      ...[html, csv].flatMap((path) => (path === undefined ? [] : [`wrote ${path}`])),
    ].join('\n'),
  )
}
