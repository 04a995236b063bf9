import { execFile } from 'node:child_process'

export interface Ended {
  /** null when the program could not be started or was killed. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

const TIMEOUT_MS = 20_000

/** Runs a program to its end; a failure is a finding, not an error. */
export const runProgram = (
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly signal: AbortSignal },
): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(file, [...args], { timeout: TIMEOUT_MS, ...options }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
      resolve({ exitCode: code, stdout, stderr: stderr || (error?.message ?? '') })
    })
  })
