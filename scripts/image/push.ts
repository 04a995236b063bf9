/**
 * `node scripts/image/push.ts --local <image> --region <region> --deployment <name>`: brings an image that Docker holds into the repository of a
 * deployment, under `v<VERSION>`, and says by which digest it is there. What is there already is not pushed again.
 */
import { parseArgs } from 'node:util'
import { ECRClient } from '@aws-sdk/client-ecr'
import { findStack, openDeployment, outputsOf } from '../../src/main/deployment/deployment.ts'
import { logIn } from '../live-smoke/push-image.ts'
import { Fault, needed, presentVersion, runCommand, setOutputs } from './command.ts'
import { docker } from './docker.ts'
import { findPushed, isSame, lambdaTakes } from './pushed-image.ts'

const repositoryOf = async (region: string, name: string): Promise<string> => {
  using deployment = openDeployment({ region, deployment: name })
  const stack = await findStack(deployment, deployment.stackName, AbortSignal.timeout(60_000))
  const uri = stack === null ? undefined : outputsOf(stack)['RepositoryUri']
  if (uri === undefined) throw new Fault(`${name} in ${region} has no foundation: berth init --region ${region}`)
  return uri
}

await runCommand('push', async () => {
  const { values } = parseArgs({
    options: {
      local: { type: 'string' },
      region: { type: 'string' },
      deployment: { type: 'string', default: 'berth' },
    },
  })
  const [local, region] = [needed(values.local, '--local <image>'), needed(values.region, '--region <region>')]
  const version = presentVersion()
  const tag = `v${version}`
  const uri = await repositoryOf(region, values.deployment)
  const repository = uri.slice(uri.indexOf('/') + 1)
  const localId = await docker('image', 'inspect', '--format', '{{.Id}}', local)
  const ecr = new ECRClient({ region })
  const present = await findPushed(ecr, repository, tag)
  if (present === null) {
    await logIn(ecr, uri.slice(0, uri.indexOf('/')))
    await docker('tag', local, `${uri}:${tag}`)
    await docker('push', '--quiet', `${uri}:${tag}`)
  }
  const pushed = present ?? (await findPushed(ecr, repository, tag))
  if (pushed === null) throw new Fault(`${uri}:${tag} is not there after the push`)
  if (!isSame(pushed, localId))
    throw new Fault(
      `${uri}:${tag} is there with other content (${pushed.configDigest ?? pushed.digest}, here ${localId}). ` +
        'Versions are never given twice: raise runner-image/VERSION and push again.',
    )
  if (!lambdaTakes(pushed))
    throw new Fault(
      `expected the image of one platform, got ${pushed.mediaType}: build it with --provenance=false --sbom=false`,
    )
  const image = `${uri}@${pushed.digest}`
  await setOutputs({ image, version: String(version) })
  console.error(`push: ${present === null ? 'pushed' : 'was there'} as ${tag}`)
  console.log(image)
})
