import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { copyRunner } from '../copy-runner.ts'
import { IMAGE_COPIES, ROOT, RUNNER_IMAGE } from './paths.ts'

/** What stands for a container image here: a folder with Python code. */
export interface RunnerImage {
  readonly folder: string
  /** As `CMD` of the Dockerfile. */
  readonly handler: string
  /** Whether a function's own `ImageConfig.Command` goes before `handler`. */
  readonly takesCommand: boolean
  /** As `ENV` of the Dockerfile. */
  readonly variables: Readonly<Record<string, string>>
}

/** What an image holds: the runner, perhaps as another version or for evaluators, or any handler, such as a broken one. */
export type ImageContent =
  | {
      readonly kind: 'runner'
      readonly version?: number
      readonly profile?: 'evaluator'
      /** Answers garbage to runs whose code contains it; with `version`. */
      readonly failsOn?: string
      /** Answers runs whose code contains `on` that much later; with `version`. */
      readonly slow?: { readonly on: string; readonly ms: number }
    }
  /** `source` is a Python module with `handler(event, context)`. */
  | { readonly kind: 'handler'; readonly source: string }

/** Which folder stands for which digest. */
export interface Images extends AsyncDisposable {
  /** By `<repository>@sha256:…`. An image that nobody described is the runner of this checkout. */
  of(imageUri: string): RunnerImage
  register(digest: string, content: ImageContent): Promise<void>
}

const OWN: RunnerImage = {
  folder: RUNNER_IMAGE,
  handler: 'berth_runner.handler.handler',
  takesCommand: true,
  variables: {},
}

/** The search path of every environment: Node as in the image, and the system. */
export const IMAGE_PATH = `${join(ROOT, 'node_modules', 'node', 'bin')}:/usr/bin:/bin`

const slowOn = ({ on, ms }: { readonly on: string; readonly ms: number }): string => `
import time
from berth_runner.handler import handler as runner

def handler(event, context):
    if event.get("kind") == "run" and ${JSON.stringify(on)} in event["code"]:
        time.sleep(${ms / 1000})
    return runner(event, context)
`

const failingOn = (part: string): string => `
from berth_runner.handler import handler as runner

def handler(event, context):
    fails = event.get("kind") == "run" and ${JSON.stringify(part)} in event["code"]
    return ["garbage"] if fails else runner(event, context)
`

const wrapperOf = ({ failsOn, slow }: Extract<ImageContent, { kind: 'runner' }>): string | null => {
  if (failsOn !== undefined) return failingOn(failsOn)
  return slow === undefined ? null : slowOn(slow)
}

export const createImages = (): Images => {
  const byDigest = new Map<string, RunnerImage>()
  const folders: string[] = []

  const newFolder = async (): Promise<string> => {
    const folder = join(IMAGE_COPIES, randomUUID())
    folders.push(folder)
    await mkdir(folder, { recursive: true, mode: 0o755 })
    return folder
  }

  const make = async (content: ImageContent): Promise<RunnerImage> => {
    if (content.kind === 'handler') {
      const folder = await newFolder()
      await writeFile(join(folder, 'handler.py'), content.source, { mode: 0o644 })
      return { folder, handler: 'handler.handler', takesCommand: false, variables: {} }
    }
    const variables = content.profile === undefined ? {} : { BERTH_RUNNER_PROFILE: content.profile }
    if (content.version === undefined) return { ...OWN, variables }
    const folder = await newFolder()
    // With its times: Python would not believe what is compiled already.
    await copyRunner(join(RUNNER_IMAGE, 'berth_runner'), join(folder, 'berth_runner'))
    await writeFile(join(folder, 'VERSION'), `${content.version}\n`, { mode: 0o644 })
    const around = wrapperOf(content)
    if (around === null) return { ...OWN, folder, variables }
    await writeFile(join(folder, 'around.py'), around, { mode: 0o644 })
    return { folder, handler: 'around.handler', takesCommand: false, variables }
  }

  return {
    of: (imageUri) => byDigest.get(imageUri.split('@').at(-1) ?? '') ?? OWN,
    async register(digest, content) {
      byDigest.set(digest, await make(content))
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))
    },
  }
}
