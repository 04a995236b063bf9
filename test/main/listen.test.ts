import express from 'express'
import { expect, test } from 'vitest'
import { closeServer, listen } from '../../src/main/listen.ts'

test('a port that is taken is named with what to do', async () => {
  const first = await listen(express(), { host: '127.0.0.1', port: 0 })
  const port = Number(new URL(first.url).port)
  const second = listen(express(), { host: '127.0.0.1', port })

  await expect(second).rejects.toMatchObject({
    code: 'config_invalid',
    message: expect.stringMatching(
      new RegExp(`^BERTH_PORT: expected a free port, got ${port}, where another program listens; stop it, or take`),
    ),
  })
  await closeServer(first.server, AbortSignal.abort())
})

test('an address of another machine is named', async () => {
  await expect(listen(express(), { host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
    code: 'config_invalid',
    message: 'BERTH_HOST: expected an address of this machine, got 192.0.2.1',
  })
})
