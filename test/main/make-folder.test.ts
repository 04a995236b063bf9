import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { BerthError } from '../../src/domain/errors.ts'
import { compose } from '../../src/main/compose.ts'
import { parseConfig } from '../../src/main/config.ts'
import { makeDataFolder, makeFolder } from '../../src/main/make-folder.ts'

const temporaryFolder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'berth-make-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a folder is made with all above it, for its owner only, and may be there already', async () => {
  await using folder = await temporaryFolder()
  const deep = join(folder.path, 'a', 'b', 'c')

  await Promise.all([makeFolder(deep, 0o700), makeFolder(deep, 0o700)])
  await makeFolder(deep)

  for (const path of [deep, join(deep, '..')]) expect((await stat(path)).mode & 0o777).toBe(0o700)
})

test('what lies in the way is named, and is not replaced', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, 'mine')

  await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(file, 'below'))).rejects.toMatchObject({ code: 'EEXIST' })
})

test.each([{}, { DATABASE_URL: 'postgres://localhost:1/none' }])(
  'a server refuses a data directory that the kernel lets nobody make (%j)',
  async (env) => {
    const config = parseConfig({ ...env, BERTH_DATA_DIR: '/proc/berth/deep', BERTH_LOG_LEVEL: 'silent' })

    const refused = await compose(config).catch((error: unknown) => error)

    expect(refused).toBeInstanceOf(BerthError)
    expect(refused).toMatchObject({
      code: 'config_invalid',
      message: expect.stringMatching(
        /^BERTH_DATA_DIR: expected a folder .*, got \/proc\/berth\/deep \(ENOENT/,
      ) as string,
      errors: [{ pointer: '/BERTH_DATA_DIR' }],
      data: { remedy: expect.stringContaining('BERTH_DATA_DIR') as string },
    })
  },
)

test('the folder itself is said, also when it lies below a file', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, '')

  await expect(makeDataFolder(join(file, 'data'))).rejects.toMatchObject({ code: 'config_invalid' })
})
