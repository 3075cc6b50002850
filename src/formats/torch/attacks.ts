// Names by which a checkpoint runs programs or changes files when Python loads it.
import { FormatError } from '../../util/errors.ts'

/** No training script stores these. pantin runs nothing of them, but the user should know what the file is. */
const attacks: readonly RegExp[] = [
  /(^|\.)(os|posix|nt)\.(system|popen|startfile|exec|spawn|posix_spawn|fork|kill)/,
  /(^|\.)(os|posix|nt)\.(remove|unlink|rmdir|rename|replace|truncate|chmod|chown|link|symlink)/,
  /^_?(subprocess|posixsubprocess)\.(Popen|run|call|check_|getoutput|getstatusoutput|fork_exec)/,
  /^(pty\.spawn|runpy\.|webbrowser\.|commands\.get|code\.(interact|Interactive)|timeit\.(timeit|Timer|repeat))/,
  /^(pdb|bdb|cProfile|profile)\.(run|Pdb|Bdb|set_trace)/,
  /^(builtins|__builtin__)\.(eval|exec|execfile|compile|open|__import__|breakpoint|input)$/,
  /^importlib\.(import_module|__import__|reload|_bootstrap)/,
  /^shutil\.(rmtree|move|copy)/,
  /^socket\.(socket|create)/,
  /^(io|_io|codecs)\.(open|open_code|FileIO)$/,
  /^(torch|torch\.(serialization|jit|hub|ops)|numpy|joblib|pickle|_pickle|dill)\.(load|loads|load_library)$/,
  /^_?ctypes\.(CDLL|cdll|PyDLL|windll|dlopen|LoadLibrary)/,
]

/** @throws FormatError for a Python name, as `module.name`, that only a harmful file has. */
export function assertHarmless(name: string, where: string): void {
  if (!attacks.some((pattern) => pattern.test(name))) return
  throw new FormatError({
    what: 'the file wants to run code, or to change files, when it is loaded in Python',
    where,
    got: JSON.stringify(name),
    expected: 'tensors, numbers and texts in dictionaries, lists and tuples',
    remedy: 'do not load it in Python; take the checkpoint from another source',
  })
}
