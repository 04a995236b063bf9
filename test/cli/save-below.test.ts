import { mkdtemp, mkdir, readdir, readFile, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { saveBelow } from '../../src/cli/save-below.ts'

const body = new TextEncoder().encode('x')
const scratch = (): Promise<string> => mkdtemp(join(tmpdir(), 'berth-save-'))

test('a name with folders is saved below the folder', async () => {
  const out = join(await scratch(), 'out')

  const path = await saveBelow(out, 'plots/a.png', body)

  expect(await readFile(path, 'utf8')).toBe('x')
  expect(path.endsWith('out/plots/a.png')).toBe(true)
})

test.each(['../evil', '/etc/berth-evil', 'a/../../evil', '.', ''])(
  'the name %j does not leave the folder',
  async (name) => {
    const root = await scratch()
    const out = join(root, 'out')

    await expect(saveBelow(out, name, body)).rejects.toMatchObject({ code: 'invalid_file_name' })

    expect(await readdir(root)).toEqual(['out'])
  },
)

test('a link inside the folder does not lead out of it', async () => {
  const root = await scratch()
  await mkdir(join(root, 'elsewhere'))
  await mkdir(join(root, 'out'))
  await symlink(join(root, 'elsewhere'), join(root, 'out/link'))

  await expect(saveBelow(join(root, 'out'), 'link/evil', body)).rejects.toMatchObject({ code: 'invalid_file_name' })

  expect(await readdir(join(root, 'elsewhere'))).toEqual([])
})

test('a link in the place of the file is not followed', async () => {
  const root = await scratch()
  await mkdir(join(root, 'out'))
  await symlink(join(root, 'evil'), join(root, 'out/a.png'))

  await saveBelow(join(root, 'out'), 'a.png', body).catch(() => undefined)

  expect(await readdir(root)).toEqual(['out'])
})
