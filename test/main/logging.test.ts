import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { createLogging } from '../../src/main/logging.ts'

const secret = 'salary-of-ada.csv'

const logged = async (error: unknown): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-logging-'))
  const path = join(folder, 'log')
  await writeFile(path, '')
  const logging = createLogging('info', path)
  logging.subscriber({ code: 'berth.retry', level: 'warn', error })
  await expect.poll(() => readFile(path, 'utf8')).toContain('\n')
  logging[Symbol.dispose]()
  const text = await readFile(path, 'utf8')
  await rm(folder, { recursive: true })
  return text
}

const missing = await readFile(`/nowhere/${secret}`).catch((error: unknown) => error)

test.each([
  ['alone', missing],
  ['as the cause of an error of Berth', new BerthError('backend_unavailable', 'x', { cause: missing })],
  ['as the cause of another error', new Error('cannot delete', { cause: missing })],
  ['quoted by an error of Berth', new BerthError('file_not_found', secret)],
])('the name of a tenant’s file in an error, %s, does not reach the log', async (_, error) => {
  const line = await logged(error)

  expect(line).not.toContain(secret)
  expect(line).toMatch(/"code":"(ENOENT|file_not_found)"/)
})

test('the message of an error that names no file is logged (control)', async () => {
  expect(await logged(new TypeError('x is not a function', { cause: new Error('deeper') }))).toMatch(
    /x is not a function.*deeper/,
  )
})
