import { createHash } from 'node:crypto'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const openServer = async (answer: RequestListener) => {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() }
}

const coded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What GitHub gives a job that may ask for tokens: here they are signed by nobody. */
export const startGitHub = async (subject: string) => {
  const server = await openServer((request, response) => {
    const audience = new URL(request.url ?? '/', 'http://localhost').searchParams.get('audience')
    const isJob = request.headers.authorization === 'bearer job-secret' && audience === 'sts.amazonaws.com'
    const claims = { iss: 'https://token.actions.githubusercontent.com', aud: audience, sub: subject }
    const value = `${coded({ alg: 'none' })}.${coded(claims)}.`
    response.writeHead(isJob ? 200 : 401, { 'content-type': 'application/json' }).end(JSON.stringify({ value }))
  })
  const env = {
    ACTIONS_ID_TOKEN_REQUEST_URL: `${server.url}/token?api=1`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'job-secret',
  }
  return { env, [Symbol.dispose]: server.close }
}

/** ECR's answers about a scan, one after another; the last one stays. */
export const startScans = async (answers: readonly { readonly status: number; readonly body: unknown }[]) => {
  const left = [...answers]
  const server = await openServer((request, response) => {
    request.resume()
    const { status, body } = (left.length > 1 ? left.shift() : left[0]) ?? { status: 500, body: {} }
    response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body))
  })
  return { env: { AWS_ENDPOINT_URL_ECR: server.url }, [Symbol.dispose]: server.close }
}

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`

/** An image that a Docker holds, as the stand-in of Docker is told. */
export const localImage = (content: string, mediaType = 'application/vnd.docker.distribution.manifest.v2+json') => {
  const id = digestOf(content)
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config: { digest: id }, layers: [] })
  const env = { DOCKER_IMAGE_ID: id, DOCKER_MANIFEST: manifest, DOCKER_MEDIA_TYPE: mediaType }
  return { env, digest: digestOf(manifest) }
}

/** A job's folder: files for outputs and summary, and the stand-in of Docker first on the path. */
export const openJob = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'berth-job-'))
  const docker = join(folder, 'docker')
  const standIn = join(import.meta.dirname, 'docker-stand-in.ts')
  await writeFile(docker, `#!/bin/sh\nexec "${process.execPath}" "${standIn}" "$@"\n`)
  await chmod(docker, 0o755)
  const [outputs, summary] = [join(folder, 'outputs'), join(folder, 'summary')]
  return {
    env: {
      PATH: [folder, process.env['PATH'] ?? ''].join(delimiter),
      GITHUB_OUTPUT: outputs,
      GITHUB_STEP_SUMMARY: summary,
      GITHUB_RUN_ID: '7',
    },
    outputs: async () =>
      Object.fromEntries(
        (await readFile(outputs, 'utf8'))
          .trim()
          .split('\n')
          .map((line) => line.split('=')),
      ) as Record<string, string>,
    summary: () => readFile(summary, 'utf8'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}
