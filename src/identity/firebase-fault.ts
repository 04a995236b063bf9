/** Why Firebase did not answer. Only codes: the texts of firebase-admin may quote a token of the server. */
export interface LookupFault {
  readonly code: string
  readonly status: number | null
  readonly network: string | null
  readonly text: string
}

const NETWORK = /^(?:EAI_AGAIN|ECONNREFUSED|ECONNRESET|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EPIPE|ETIMEDOUT)$/
const WORTH_ANOTHER_TRY = new Set([408, 429])

/** firebase-admin keeps what Google, or the network, said among the causes. */
export const faultOf = (error: unknown): LookupFault => {
  const causes = causesOf(error)
  const [code = 'unknown', ...inner] = causes.map((cause) => fieldOf(cause, 'code')).filter(isText)
  const network = [code, ...inner].find((word) => NETWORK.test(word)) ?? null
  const status = causes.map((cause) => fieldOf(fieldOf(cause, 'response'), 'status')).find(isNumber) ?? null
  const rest = [network, status === null ? null : `status ${status}`].filter((part) => part !== null)
  return { code, network, status, text: [code, ...rest].join(', ') }
}

/** Whether it may be over the next time, with nobody mending anything. */
export const isPassing = ({ code, network, status }: LookupFault): boolean => {
  if (network !== null) return true
  if (status !== null) return status >= 500 || WORTH_ANOTHER_TRY.has(status)
  return code !== 'app/invalid-credential'
}

const isText = (value: unknown): value is string => typeof value === 'string'

const isNumber = (value: unknown): value is number => typeof value === 'number'

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined

const causesOf = (error: unknown): readonly unknown[] => {
  const chain: unknown[] = []
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) chain.push(at)
  return chain
}
