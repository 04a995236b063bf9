import { createServer } from 'node:net'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Berth } from '../../src/client/berth.ts'
import { openSite, type Site, valueOf } from './site.ts'

let site: Site
let tenant: Berth
let connections = 0
const listener = createServer((socket) => {
  connections += 1
  socket.end()
})
const port = (): number => (listener.address() as { port: number }).port

beforeAll(async () => {
  listener.listen(0, '0.0.0.0')
  await once(listener, 'listening')
  site = await openSite()
  tenant = await site.signUp('outgoing')
})

afterAll(async () => {
  listener.close()
  await site[Symbol.asyncDispose]()
})

const tryAll = `
import socket
def attempt(action):
    try:
        action()
        return "open"
    except OSError as error:
        return type(error).__name__
def main(variables):
    port = variables["port"]
    return [
        attempt(lambda: socket.create_connection(("127.0.0.1", port), timeout=2)),
        attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(("::1", port))),
        attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", port))),
        attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
        attempt(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW)),
        attempt(lambda: socket.getaddrinfo("example.com", 80)),
    ]
`

test('no socket reaches out of a Python run: not to this machine, not to the server, not by name', async () => {
  const before = connections

  const answers = valueOf(await tenant.run(tryAll, { variables: { port: port() } }))

  expect(answers).toEqual([
    'PermissionError',
    'PermissionError',
    'PermissionError',
    'PermissionError',
    'PermissionError',
    'gaierror',
  ])
  expect(connections).toBe(before)
})

test('no connection leaves a TypeScript run', async () => {
  const before = connections
  const code = `
import { connect } from 'node:net'
export default (variables: { port: number }) => new Promise((resolve) => {
  const socket = connect(variables.port, '127.0.0.1')
  socket.on('connect', () => resolve('open'))
  socket.on('error', (error: { code?: string }) => resolve(error.code))
})`

  const answer = valueOf(await tenant.run(code, { language: 'typescript', variables: { port: port() } }))

  expect(answer).toMatch(/^E(PERM|ACCES)$/)
  expect(connections).toBe(before)
})

test('the port is open to this process (control)', async () => {
  const before = connections
  const socket = connect(port(), '127.0.0.1')

  await once(socket, 'close')

  expect(connections).toBe(before + 1)
})
