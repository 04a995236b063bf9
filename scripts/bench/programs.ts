/** The programs that are measured, each with what it must answer. The same text runs plainly and in a berth. */
export interface Program {
  readonly language: 'python' | 'typescript'
  readonly code: string
  readonly files: readonly string[]
  /** Occurs in what it prints. */
  readonly prints: string
}

export const CSV_NAME = 'sales.csv'

export const pythonOneLiner: Program = { language: 'python', code: 'print(1+1)', files: [], prints: '2' }

export const typescriptOneLiner: Program = {
  language: 'typescript',
  code: 'const sum: number = 1 + 1; console.log(sum)\n',
  files: [],
  prints: '2',
}

export const pandasProgram: Program = {
  language: 'python',
  code: `import pandas as pd
table = pd.read_csv("${CSV_NAME}")
print(table.groupby("region")["amount"].sum())`,
  files: [CSV_NAME],
  prints: 'north',
}

const CHART = `import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.plot(range(100), [n * n for n in range(100)], label="squares")
plt.legend()
plt.title("Squares")
print("drawn")
`

/** In a berth the figure that is left open comes back as PNG; plainly it takes these lines to get the same bytes out. */
export const chartProgram: Program = { language: 'python', code: CHART, files: [], prints: 'drawn' }
export const plainChart: Program = {
  ...chartProgram,
  code: `${CHART}
import base64, io
buffer = io.BytesIO()
plt.savefig(buffer, format="png")
print(base64.b64encode(buffer.getvalue()).decode())
`,
}

/** About 1 MB, the same every time. */
export const csvText = (): string => {
  const regions = ['north', 'south', 'east', 'west']
  const lines = ['id,region,product,amount,price']
  for (let id = 0; lines.length < 30_000; id += 1) {
    const scrambled = (id * 2_654_435_761) % 4_294_967_296
    lines.push(
      `${id},${regions[scrambled % 4]},product-${scrambled % 97},${scrambled % 1000},${(scrambled % 9973) / 100}`,
    )
  }
  return `${lines.join('\n')}\n`
}
