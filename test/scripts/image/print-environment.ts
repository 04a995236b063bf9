/** Shows what a command is given, and ends in a way that is told apart; with `--wait` once it is interrupted. */
const isWaiting = process.argv.includes('--wait')
const end = (): void => {
  process.exitCode = 7
}
if (isWaiting) {
  const waiting = setInterval(() => undefined, 1000)
  process.once('SIGINT', () => {
    clearInterval(waiting)
    end()
  })
} else end()
console.log(JSON.stringify(process.env))
