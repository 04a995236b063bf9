import type { WireFleet } from '../../client/wire.ts'
import type { CommandSpec } from '../command.ts'
import type { Terminal } from '../terminal.ts'
import { visible } from '../visible.ts'

const LAGGARDS_SHOWN = 20

const images = (listed: NonNullable<WireFleet['listed']>, terminal: Terminal): readonly string[] =>
  terminal.table(
    [{ title: 'IMAGE' }, { title: 'VERSION' }, { title: 'BERTHS', align: 'right' }],
    listed.images.map(({ image, version, berths }) => [visible(image), String(version ?? '-'), String(berths)]),
  )

const wantedLines = ({
  wanted,
  candidate,
  previous,
  fence,
  held,
  changedBy,
  updatesFailed,
}: WireFleet): readonly string[] => [
  ...(wanted === null ? [] : [`wanted: version ${wanted.version}, ${visible(wanted.image)}`, `fence: ${fence}`]),
  ...(candidate === null ? [] : [`on its way: version ${candidate.version}, ${visible(candidate.image)}`]),
  ...(previous === null ? [] : [`before it: version ${previous.version}, ${visible(previous.image)}`]),
  ...(held === null ? [] : [`held: ${visible(held)}`]),
  ...(updatesFailed === 0 ? [] : [`updates failed: ${updatesFailed}`]),
  ...(changedBy === null ? [] : [`changed last by ${visible(changedBy)}`]),
]

const listedLines = ({ listed, problem }: WireFleet, terminal: Terminal): readonly string[] => [
  ...(problem === null ? [] : [`problem: ${visible(problem)}`]),
  ...(listed === null ? ['the fleet is being listed; ask again in a while'] : images(listed, terminal)),
  ...(listed?.laggards.slice(0, LAGGARDS_SHOWN).map(({ berthId, reason }) => `${berthId}: ${visible(reason)}`) ?? []),
  ...((listed?.laggardsTotal ?? 0) > LAGGARDS_SHOWN ? [`${listed?.laggardsTotal} lag behind in all`] : []),
  ...(listed === null ? [] : [`listed ${listed.ageSeconds} s ago`]),
]

export const cellLines = (cell: WireFleet, terminal: Terminal): readonly string[] => [
  `cell ${visible(cell.cell)}`,
  ...wantedLines(cell),
  ...listedLines(cell, terminal),
]

export const fleetCommand: CommandSpec = {
  usage: 'fleet',
  description: 'What the berths of each cell run, against what is wanted, as a server knows it.',
  caller: 'operator',
  examples: ['fleet', 'fleet --json'],
  act: async ({ connect, terminal, signal }) => {
    const cells = await (await connect()).fleet({ signal })
    terminal.answer({ data: cells }, () => cells.flatMap((cell) => cellLines(cell, terminal)))
  },
}
