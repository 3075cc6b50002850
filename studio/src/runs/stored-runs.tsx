// The runs in this browser's storage.
import { useSignal } from '@preact/signals'
import { type StoredRun, storedRuns } from 'pantin/web'
import { useEffect } from 'preact/hooks'
import { download, filesByPath } from '../core/files.ts'
import { complain, say } from '../core/messages.ts'
import { go } from '../core/router.ts'
import { chosenRun, loadRun, opened, refreshStored, stored, takeRun } from '../core/runs.ts'
import { hasServer, listServedRuns, saveRun } from '../core/server.ts'
import { DropArea } from '../ui/drop-area.tsx'
import { FileButton } from '../ui/file-button.tsx'

/** The runs in this browser's storage. */
export function StoredRuns() {
  const canSave = useSignal(false)
  useEffect(() => {
    void refreshStored()
    const ask = async () => {
      if (await hasServer()) canSave.value = (await listServedRuns()).canSave
    }
    // The list of the server's runs tells why it fails.
    ask().catch(() => {})
  }, [canSave])
  return (
    <DropArea label="Runs in this browser" class="panel" onDropped={(files) => keep(sourceOf([...files]))}>
      <h2>In this browser</h2>
      <ul class="list runs">
        {stored.value.map((run) => (
          <StoredLine key={run.name} run={run} canSave={canSave.value} />
        ))}
        {stored.value.length === 0 && (
          <li class="empty">
            None yet. <a href="#/train">Train one</a>, or open one that the command line made.
          </li>
        )}
      </ul>
      <div class="row">
        <FileButton label="Keep a run’s zip" accept=".zip" onFiles={([zip]) => keep(zip!)} />
        <FileButton label="Keep a run folder" folder onFiles={(files) => keep(filesByPath(files))} />
      </div>
      <p class="note">Or drop a run folder or its zip here.</p>
    </DropArea>
  )
}

interface StoredRunProps {
  readonly run: StoredRun
  /** Whether the server keeps runs in a folder. */
  readonly canSave: boolean
}

function StoredLine({ run, canSave }: StoredRunProps) {
  const { name, net, step, finished, problem } = run
  const state = problem !== undefined ? 'broken' : finished ? 'finished' : 'stopped'
  return (
    <li>
      <strong>{name}</strong>
      <span class="state" data-state={state}>
        {state}
      </span>
      <span class="note">
        {problem === undefined
          ? `${net}, step ${step}`
          : [problem.where, problem.what].filter(Boolean).join(': ')}
      </span>
      <div class="row">
        {problem === undefined && <UseButtons run={run} canSave={canSave} />}
        <RemoveButton name={name} />
      </div>
    </li>
  )
}

const act = (work: Promise<unknown>): void => void work.catch(complain)

/** Buttons of a run that can be read. */
function UseButtons({ run: { name, resumable }, canSave }: StoredRunProps) {
  const zip = async () => (await storedRuns.open(name)).toZip()
  return (
    <>
      <button
        type="button"
        aria-label={`Animate with ${name}`}
        onClick={() => {
          chosenRun.value = `stored:${name}`
          go('animate')
        }}
      >
        Animate
      </button>
      {resumable && <a href="#/train">Go on</a>}
      <button
        type="button"
        aria-label={`Download ${name}`}
        onClick={() => act(zip().then((blob) => download(blob, `${name}.zip`)))}
      >
        Download
      </button>
      {canSave && (
        <button
          type="button"
          aria-label={`Save ${name} into the folder of pantin studio`}
          onClick={() =>
            act(
              zip()
                .then((blob) => saveRun(name, blob))
                .then((saved) => say(`${name} is saved in the folder of pantin studio, as ${saved}.`)),
            )
          }
        >
          Save
        </button>
      )}
    </>
  )
}

/** Removes a run, at the second click. */
function RemoveButton({ name }: { readonly name: string }) {
  const asks = useSignal(false)
  return (
    <button
      type="button"
      class={asks.value ? 'danger' : ''}
      aria-label={asks.value ? `Remove ${name} for good` : `Remove ${name}`}
      onBlur={() => {
        asks.value = false
      }}
      onClick={() => {
        if (asks.value) act(storedRuns.remove(name).then(refreshStored))
        asks.value = !asks.value
      }}
    >
      {asks.value ? 'For good?' : 'Remove'}
    </button>
  )
}

function sourceOf(files: readonly (readonly [string, File])[]): Blob | ReadonlyMap<string, Blob> {
  const [first] = files
  return files.length === 1 && first !== undefined && /\.zip$/i.test(first[0]) ? first[1] : new Map(files)
}

/** Keeps a run in this browser's storage. */
function keep(source: Blob | ReadonlyMap<string, Blob>): void {
  const put = async () => {
    const key = await takeRun(source)
    const run = await loadRun(key)
    await storedRuns.put(run.name, run)
    // It is in the list of kept runs now, so that it leaves the list of opened ones.
    opened.value = opened.value.filter((other) => other !== run)
    await refreshStored()
    say(`${run.name} is kept in this browser.`)
  }
  put().catch(complain)
}
