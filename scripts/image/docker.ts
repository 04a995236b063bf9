import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Fault } from './command.ts'

const run = promisify(execFile)
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** Runs Docker and answers what it printed. @throws {Fault} with Docker's own words */
export const docker = async (...args: readonly string[]): Promise<string> => {
  try {
    return (await run('docker', args, { maxBuffer: MAX_OUTPUT_BYTES })).stdout.trim()
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : String(error)
    throw new Fault(`docker ${args[0]} failed: ${said}`)
  }
}

/** A program of an image, with the image's own entry point set aside. */
export const inImage = (image: string, program: string, ...args: readonly string[]): Promise<string> =>
  docker('run', '--rm', '--network', 'none', '--entrypoint', program, image, ...args)
