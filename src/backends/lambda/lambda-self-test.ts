import { randomBytes } from 'node:crypto'
import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { Cell } from '../../aws/cell.ts'
import type { BerthId } from '../../domain/ids.ts'
import type { SelfTestReport } from '../../domain/ports/fleet.ts'
import type { Ids } from '../../domain/ports/ids.ts'
import { RUNNER_PROTOCOL } from '../../domain/runner-protocol.ts'
import { invokeBerth } from './invoke-berth.ts'
import { readFunction } from './lambda-functions.ts'
import { filesPrefixOf, prefixOf } from './names.ts'
import { s3Call } from './s3-call.ts'
import { type SelfTestAnswer, selfTestAnswer } from './self-test-answer.ts'

export interface SelfTest {
  readonly berthId: BerthId
  readonly ids: Pick<Ids, 'berthId'>
  readonly signal: AbortSignal
}

/** Checks that a runner which does not know them leaves out; without them nothing is shown of the berth's isolation. */
const needed = (cell: Cell): readonly string[] => [
  'own_prefix_readable',
  'other_prefix_refused',
  ...(cell.foundation.noEgress ? ['no_egress'] : []),
]

const withMissing = (cell: Cell, { checks }: SelfTestAnswer): SelfTestAnswer['checks'] => {
  const made = new Set(checks.map(({ name }) => name))
  const missing = needed(cell).filter((name) => !made.has(name))
  return [...checks, ...missing.map((name) => ({ name, passed: false, detail: 'the runner did not make this check' }))]
}

/** A file with a secret that only who reads it can know. Its very version is deleted, so that nothing of it is kept. */
const withTokenFile = async <T>(
  cell: Cell,
  { berthId, signal }: SelfTest,
  work: (file: string, token: string) => Promise<T>,
): Promise<T> => {
  const file = `berth-self-test-${randomBytes(8).toString('hex')}.txt`
  const token = randomBytes(16).toString('hex')
  const object = { Bucket: cell.foundation.bucket, Key: `${filesPrefixOf(berthId)}${file}` }
  const { VersionId } = await s3Call(cell, { operation: 'PutObject', signal }, (options) =>
    cell.clients.s3.send(new PutObjectCommand({ ...object, Body: token }), options),
  )
  try {
    return await work(file, token)
  } finally {
    await s3Call(cell, { operation: 'DeleteObject', signal: new AbortController().signal }, (options) =>
      cell.clients.s3.send(new DeleteObjectCommand({ ...object, VersionId }), options),
    )
  }
}

const examine = (cell: Cell, { berthId, ids, signal }: SelfTest): Promise<SelfTestAnswer> =>
  withTokenFile(cell, { berthId, ids, signal }, async (file, token) => {
    const event = {
      protocol: RUNNER_PROTOCOL,
      kind: 'self_test',
      bucket: cell.foundation.bucket,
      prefix: prefixOf(berthId),
      file,
      token,
      // Of a berth that nobody has: no tenant's files are at stake when the role reaches too far.
      otherPrefix: prefixOf(ids.berthId()),
      noEgress: cell.foundation.noEgress,
    }
    return selfTestAnswer(await invokeBerth(cell, { berthId, event, signal }))
  })

/** Has the runner in a berth examine itself, its role and its network; the image is what Lambda says, not what the runner says. */
export const runLambdaSelfTest = async (cell: Cell, test: SelfTest): Promise<SelfTestReport> => {
  const answer = await examine(cell, test)
  const view = await readFunction(cell, test.berthId, { priority: 'signUp', signal: test.signal })
  const checks = withMissing(cell, answer)
  return {
    passed: answer.passed && checks.every((check) => check.passed),
    runnerVersion: answer.runnerVersion,
    image: view?.image ?? answer.image,
    checks,
  }
}
