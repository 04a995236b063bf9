export interface Turn {
  write(text: string): void
  end(): void
}

/**
 * Lets several write at once and shows them one after another, in the order in which they took their turns: the one in front as it
 * writes, the others when everyone before them has ended.
 */
export const createTurns = (show: (text: string) => void): { take(): Turn } => {
  const waiting: { kept: string[]; isOver: boolean }[] = []
  const showFront = (): void => {
    for (let front = waiting[0]; front !== undefined; front = waiting[0]) {
      const text = front.kept.splice(0).join('')
      if (text !== '') show(text)
      if (!front.isOver) return
      waiting.shift()
    }
  }
  return {
    take: () => {
      const turn = { kept: [] as string[], isOver: false }
      waiting.push(turn)
      return {
        write: (text) => {
          turn.kept.push(text)
          showFront()
        },
        end: () => {
          turn.isOver = true
          showFront()
        },
      }
    },
  }
}
