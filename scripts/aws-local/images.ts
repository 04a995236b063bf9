import { join } from 'node:path'
import { ROOT, RUNNER_IMAGE } from './paths.ts'

/** What stands for a container image here: a folder with the runner. */
export interface RunnerImage {
  readonly folder: string
  /** As `CMD` of the Dockerfile. */
  readonly handler: string
  /** As `ENV` of the Dockerfile. */
  readonly variables: Readonly<Record<string, string>>
  readonly path: string
}

/** Which folder stands for which digest. */
export interface Images {
  /** By `<repository>@sha256:…`. Unknown images are the runner of this checkout. */
  of(imageUri: string): RunnerImage
  register(digest: string, image: RunnerImage): void
}

const NODE_FOLDER = join(ROOT, 'node_modules', 'node', 'bin')

export const runnerImageAt = (folder: string = RUNNER_IMAGE): RunnerImage => ({
  folder,
  handler: 'berth_runner.handler.handler',
  variables: {},
  path: `${NODE_FOLDER}:/usr/bin:/bin`,
})

export const createImages = (): Images => {
  const byDigest = new Map<string, RunnerImage>()
  const own = runnerImageAt()
  return {
    of: (imageUri) => byDigest.get(imageUri.split('@').at(-1) ?? '') ?? own,
    register: (digest, image) => void byDigest.set(digest, image),
  }
}
