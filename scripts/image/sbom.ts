/** `node scripts/image/sbom.ts --local <image>`: prints what an image holds as CycloneDX: system packages, Python packages, Node. */
import { parseArgs } from 'node:util'
import { parsePip, parseRpm, RPM_FORMAT, toBom } from './bill-of-materials.ts'
import { needed, presentVersion, runCommand } from './command.ts'
import { docker, inImage } from './docker.ts'

await runCommand('sbom', async () => {
  const { values } = parseArgs({ options: { local: { type: 'string' } } })
  const local = needed(values.local, '--local <image>')
  const id = await docker('image', 'inspect', '--format', '{{.Id}}', local)
  const system = parseRpm(await inImage(local, 'rpm', '-qa', '--queryformat', RPM_FORMAT))
  const python = parsePip(await inImage(local, 'python', '-m', 'pip', 'list', '--format', 'json'))
  const node = (await inImage(local, 'node', '--version')).replace(/^v/, '')
  const installed = [...system, ...python, { name: 'node', version: node, purl: `pkg:generic/node@${node}` }]
  process.stdout.write(toBom({ id, version: presentVersion() }, installed))
})
