import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Finding, missing, ok } from './finding.ts'
import { runProgram } from './run-program.ts'

const NEEDED_NODE = 24

export interface Programs {
  readonly python: string
  readonly runnerDir: string
  readonly signal: AbortSignal
}

export const checkNode = (version: string): Finding =>
  Number(version.split('.')[0]) >= NEEDED_NODE
    ? ok('node', version)
    : missing(
        'node',
        `${version}, and ${NEEDED_NODE} or newer is needed`,
        'Start berth through npm, which brings Node 24: npx berth …',
      )

const imports =
  'import json, sys, numpy, pandas, matplotlib; print(json.dumps({"python": sys.version.split()[0], "numpy": numpy.__version__, "pandas": pandas.__version__, "matplotlib": matplotlib.__version__}))'

/** The Python of the runner, with the libraries it preloads. */
export const checkPython = async ({ python, runnerDir, signal }: Programs): Promise<Finding> => {
  const { exitCode, stdout, stderr } = await runProgram(python, ['-c', imports], { signal })
  if (exitCode === 0) {
    const versions = Object.entries(JSON.parse(stdout) as Record<string, string>)
    return ok('python', versions.map(([name, version]) => `${name} ${version}`).join(', '))
  }
  const last = stderr.trim().split('\n').at(-1) ?? ''
  return missing('python', `${python} does not run with its libraries: ${last}`, pythonRemedy(python, runnerDir))
}

/** A checkout has a script for it; the published package has the list of requirements. */
const pythonRemedy = (python: string, runnerDir: string): string => {
  const root = dirname(runnerDir)
  if (existsSync(join(root, 'scripts/setup.sh'))) return `Make the virtual environment: sh ${root}/scripts/setup.sh`
  const venv = dirname(dirname(python))
  return `Make the virtual environment, with Python 3.11 or newer: python3 -m venv ${venv} && ${venv}/bin/pip install --require-hashes -r ${runnerDir}/requirements.txt`
}

interface Level {
  readonly level: string
  readonly ok: boolean
  readonly detail: string
  readonly remedy: string
}

/** Which sandboxes this machine can build, found by building them. The first that works is used. */
export const checkSandbox = async ({ python, runnerDir, signal }: Programs): Promise<readonly Finding[]> => {
  const env = { ...process.env, PYTHONPATH: runnerDir, PYTHONDONTWRITEBYTECODE: '1' }
  const { stdout, stderr } = await runProgram(python, ['-m', 'berth_runner.levels', '--json'], { env, signal })
  const levels = parseLevels(stdout)
  if (levels === null && !existsSync(python))
    return [missing('sandbox', 'not looked at: the probe needs Python', 'Mend Python first, then ask again.')]
  if (levels === null)
    return [
      missing(
        'sandbox',
        `the probe failed: ${stderr.trim().split('\n').at(-1)}`,
        `See the whole error: cd ${join(runnerDir)} && ${python} -m berth_runner.levels`,
      ),
    ]
  // Running without a sandbox is no protection, so that it works is no good news.
  const confining = levels.filter(({ level }) => level !== 'guard')
  const best = confining.findIndex((level) => level.ok)
  return confining.map(({ level, ok: works, detail, remedy }, index): Finding => {
    const name = `sandbox ${level}`
    if (works) return ok(name, index === best ? `works, in use${detail === '' ? '' : `: ${detail}`}` : 'works')
    const state = best === -1 ? 'missing' : 'limited'
    return {
      name,
      state: index > best && best !== -1 ? 'limited' : state,
      detail,
      remedy: remedy === '' ? null : remedy,
    }
  })
}

const parseLevels = (stdout: string): readonly Level[] | null => {
  try {
    return JSON.parse(stdout) as readonly Level[]
  } catch {
    return null
  }
}
