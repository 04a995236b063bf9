/**
 * `node scripts/image/await-scan.ts --region <region> --image <repository>@sha256:… [--worst high]`: waits for ECR's scan of an image and fails when
 * it has findings of a severity beyond what may be.
 */
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { DescribeImageScanFindingsCommand, ECRClient, ScanNotFoundException } from '@aws-sdk/client-ecr'
import { addSummary, Fault, needed, runCommand } from './command.ts'

const severities = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFORMATIONAL', 'UNDEFINED'] as const
type Counts = Readonly<Partial<Record<string, number>>>

/** ECR begins within seconds of a push and takes a minute or two. */
const PATIENCE_MS = 15 * 60_000
const waiting = new Set(['IN_PROGRESS', 'PENDING', 'undefined'])

interface Scanned {
  readonly repositoryName: string
  readonly imageDigest: string
}

/** Null while the scan goes on. */
const countsOf = async (ecr: ECRClient, { repositoryName, imageDigest }: Scanned): Promise<Counts | null> => {
  const command = new DescribeImageScanFindingsCommand({ repositoryName, imageId: { imageDigest } })
  const answer = await ecr.send(command).catch((error: unknown) => {
    if (error instanceof ScanNotFoundException) return null
    throw error
  })
  const status = String(answer?.imageScanStatus?.status)
  if (answer === null || waiting.has(status)) return null
  // Basic scans end as COMPLETE; those of Inspector go on for ever as ACTIVE.
  if (status === 'COMPLETE' || status === 'ACTIVE') return answer.imageScanFindings?.findingSeverityCounts ?? {}
  throw new Fault(`the scan ended as ${status}: ${answer.imageScanStatus?.description ?? 'no reason given'}`)
}

const awaitCounts = async (ecr: ECRClient, scanned: Scanned, everyMs: number): Promise<Counts> => {
  const patience = AbortSignal.timeout(PATIENCE_MS)
  for (;;) {
    const counts = await countsOf(ecr, scanned)
    if (counts !== null) return counts
    if (patience.aborted) throw new Fault(`no scan of ${scanned.imageDigest} within ${PATIENCE_MS / 60_000} minutes`)
    await setTimeout(everyMs)
  }
}

const tooMany = (counts: Counts, worst: string): readonly string[] => {
  const end = severities.findIndex((severity) => severity.toLowerCase() === worst)
  if (end === -1) throw new Fault(`--worst: expected one of ${severities.join(', ').toLowerCase()}, got ${worst}`)
  return severities.slice(0, end).filter((severity) => (counts[severity] ?? 0) > 0)
}

await runCommand('await-scan', async () => {
  const { values } = parseArgs({
    options: {
      region: { type: 'string' },
      image: { type: 'string' },
      worst: { type: 'string', default: 'high' },
      'every-ms': { type: 'string', default: '5000' },
    },
  })
  const [uri = '', imageDigest = ''] = needed(values.image, '--image <repository>@sha256:…').split('@')
  const ecr = new ECRClient({ region: needed(values.region, '--region <region>') })
  const repositoryName = uri.slice(uri.indexOf('/') + 1)
  const counts = await awaitCounts(ecr, { repositoryName, imageDigest }, Number(values['every-ms']))
  const rows = severities.map((severity) => `| ${severity.toLowerCase()} | ${counts[severity] ?? 0} |`)
  await addSummary([`### Scan of \`${imageDigest}\``, '', '| severity | findings |', '|---|---:|', ...rows])
  console.log(severities.map((severity) => `${severity.toLowerCase()} ${counts[severity] ?? 0}`).join(', '))
  const found = tooMany(counts, values.worst)
  if (found.length > 0)
    throw new Fault(
      `findings that are ${found.join(', ').toLowerCase()}: look at them in ECR, mend the image, raise runner-image/VERSION`,
    )
})
