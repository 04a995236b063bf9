import { createWriteStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type CommandContext, type CommandSpec, usageError } from '../command.ts'
import { fileBody } from '../file-body.ts'
import { replaceFile } from '../replace-file.ts'
import { saveBelow } from '../save-below.ts'
import { visible } from '../visible.ts'
import { writeFault } from '../write-fault.ts'

const ls: CommandSpec = {
  usage: 'ls',
  description: 'List the files of a tenant.',
  caller: 'tenant',
  examples: ['files ls --tenant alice', 'files ls --tenant alice --json'],
  act: async ({ connect, terminal, signal }) => {
    const files = await Array.fromAsync((await connect()).files.list({ pageSize: 100, signal }))
    terminal.answer({ data: files }, () =>
      terminal.table(
        [{ title: 'NAME' }, { title: 'BYTES', align: 'right' }, { title: 'MODIFIED' }],
        files.map(({ name, bytes, modifiedAt }) => [visible(name), String(bytes), modifiedAt]),
      ),
    )
  },
}

const put: CommandSpec = {
  usage: 'put <path> [name]',
  description: 'Upload a file of this machine, or - for standard input. A file of the same name is replaced.',
  caller: 'tenant',
  examples: ['files put sales.csv --tenant alice', 'files put - notes.txt --tenant alice < notes.txt'],
  act: async ({ args: [path = '', asked], connect, terminal, signal }) => {
    const name = asked ?? basename(path)
    if (path === '-' && asked === undefined)
      throw usageError('standard input has no name', 'Add one: berth files put - <name>.')
    const body = path === '-' ? process.stdin : await fileBody(path)
    const berth = await connect()
    const progress = terminal.progress(`uploading ${visible(name)}`)
    const stored = await berth.files.upload(name, body, { signal }).finally(() => progress.stop())
    terminal.answer(stored, () => [`${visible(stored.name)}: ${stored.bytes} bytes`])
  },
}

const get: CommandSpec = {
  usage: 'get <name> [path]',
  description: 'Download a file of a tenant: under its own name here, to a path, or to standard output with -.',
  caller: 'tenant',
  examples: ['files get sales.csv --tenant alice', 'files get sales.csv - --tenant alice | head'],
  act: async (context) => {
    const { args, connect, terminal, signal } = context
    const [name = '', path = name] = args
    const { stream } = await (await connect()).files.download(name, { signal })
    if (path === '-') return toStdout(stream, context)
    // The name alone is the server's word; a path that was typed may lead anywhere.
    const saving = args[1] === undefined ? saveBelow('.', name, stream) : saveTo(path, stream)
    const saved = await saving.catch(writeFault(path))
    terminal.answer({ name, path: saved }, () => [`saved ${visible(saved)}`])
  },
}

/** A file that is there keeps its content until the new one is whole; a device or a pipe takes it as it comes. */
const saveTo = async (path: string, stream: ReadableStream<Uint8Array>): Promise<string> => {
  const known = await stat(path).catch(() => null)
  if (known === null) await replaceFile(path, stream)
  else if (known.isFile()) await replaceFile(await realpath(path), stream, known.mode & 0o777)
  else await pipeline(Readable.from(stream), createWriteStream(path))
  return path
}

const toStdout = async (stream: ReadableStream<Uint8Array>, { terminal }: CommandContext): Promise<void> => {
  if (terminal.json) throw usageError('- and --json both want standard output', 'Leave out one of the two.')
  await pipeline(Readable.from(stream), process.stdout, { end: false })
}

const rm: CommandSpec = {
  usage: 'rm <name>',
  description: 'Delete a file of a tenant.',
  caller: 'tenant',
  examples: ['files rm sales.csv --tenant alice'],
  act: async ({ args: [name = ''], connect, terminal, signal }) => {
    await (await connect()).files.remove(name, { signal })
    terminal.answer({ name, deleted: true }, () => [`deleted ${visible(name)}`])
  },
}

export const filesCommands = { name: 'files', description: "A tenant's files.", commands: [ls, put, get, rm] }
