import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface RawConnection extends Disposable {
  readonly socket: Socket
  send(text: string): void
  /** Resolves with all that was received once it fits, or with what there was when the server closed. */
  receive(until: RegExp): Promise<string>
  closed(): Promise<void>
}

/** Bytes over TCP, for requests that no client would send. */
export const openRaw = async (url: string): Promise<RawConnection> => {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let received = ''
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text
  })
  // A refused sender sees its connection reset; what was received before counts.
  socket.on('error', () => undefined)
  // Not events.once: it would throw the error of a reset.
  const closed = new Promise<true>((resolve) => socket.once('close', () => resolve(true)))
  const more = () => new Promise<false>((resolve) => socket.once('data', () => resolve(false)))
  await once(socket, 'connect')
  return {
    socket,
    send: (text) => void socket.write(text),
    async receive(until) {
      while (!until.test(received)) {
        if (await Promise.race([more(), closed])) break
      }
      return received
    },
    closed: async () => void (await closed),
    [Symbol.dispose]: () => void socket.destroy(),
  }
}
