import { type AddCommand, type Context, withCommonFlags } from '../context.ts'

/** `pantin doctor`. */
export const addDoctor: AddCommand = (program, call) => {
  const command = program
    .command('doctor')
    .summary('check what works on this machine')
    .description('Checks what pantin needs of this machine, and says what to do where something is missing.')
  withCommonFlags(command).action(call(runDoctor))
}

const marks = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const

async function runDoctor({ reporter }: Context): Promise<void> {
  const { examine } = await import('../doctor/examine.ts')
  const findings = await examine()
  const ok = findings.every(({ status }) => status !== 'fail')
  if (!ok) process.exitCode = 1
  reporter.result({ ok, checks: findings }, () =>
    findings
      .flatMap(({ status, name, found, remedy }) => [
        `${marks[status]}  ${name.padEnd(12)}  ${found}`,
        ...(remedy === undefined ? [] : [`${' '.repeat(20)}${remedy}`]),
      ])
      .join('\n'),
  )
}
