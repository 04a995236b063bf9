// Runs one TypeScript source in a process that was made for it, and sends one frame about how it went.
// Boots and warms up, then waits for its request on fd 4; the frame goes out on fd 3 when the event loop is empty.
import { SourceError, entryUrl, importSource } from './source.mjs'
import { describe } from './failure.mjs'
import { readFrame, sendFrame } from './frame.mjs'
import { createResults } from './results.mjs'
import { useSynchronousStreams } from './streams.mjs'
import { warmUp } from './warm-up.mjs'

const RESULT_FD = 3
const REQUEST_FD = 4
const nothing = Symbol('nothing')

const ended = (code, detail, error) => ({ code, detail: detail.slice(0, 500), error })

const endedBy = (error, entry) => {
  if (error instanceof SourceError) {
    const { code, message, line } = error
    return ended(code, message, { name: 'SyntaxError', value: message, traceback: '', line })
  }
  const told = describe(error, entry)
  const outOfMemory = told.name === 'RangeError' && /allocation failed/.test(told.value)
  return ended(outOfMemory ? 'out_of_memory' : 'code_raised', `${told.name}: ${told.value}`, told)
}

const notSerializable = (why) =>
  ended('result_not_serializable', why, { name: 'ResultNotSerializable', value: why, traceback: '', line: null })

/** The value of the run, and whether a function returned it. */
const evaluate = async (request, entry) => {
  const module = await importSource(request.code, entry)
  const main = typeof module.default === 'function' ? module.default : module.main
  if (typeof main === 'function') return { value: await main(request.variables), returned: true }
  return { value: await module.default, returned: false }
}

const judge = (request, results, { value, returned }) => {
  const evaluator = request.profile === 'evaluator'
  if (value === undefined)
    return evaluator ? notSerializable('this profile needs a result and the code has none') : null
  const problem = results.setMain(value, returned || evaluator)
  return problem === null ? null : notSerializable(problem)
}

const toFrame = (end, results) => {
  const tooLarge = results.tooLarge()
  const { code, detail, error } =
    end ?? (tooLarge === null ? ended(null, '', null) : ended('result_too_large', tooLarge, null))
  return { kind: 'result', ok: code === null, results: results.items, error, code, detail }
}

/** Runs the request; `process` tells the end in whichever way it comes. */
const run = async (request) => {
  const entry = entryUrl()
  const results = createResults(request.limits.maxResultBytes)
  let outcome = nothing
  let drained = false

  const finish = (error) => {
    outcome = endedBy(error, entry)
    process.exit(1)
  }
  const atExit = (status) => {
    if (outcome === nothing && drained)
      outcome = endedBy(new Error('The code awaits a promise that never settles'), entry)
    else if (outcome === nothing || outcome === null)
      outcome = status === 0 ? null : ended('exited', `the code ended the process with status ${status}`, null)
    sendFrame(RESULT_FD, toFrame(outcome, results))
  }

  process.on('exit', atExit)
  process.on('beforeExit', () => {
    drained = true
  })
  process.on('uncaughtException', finish)
  Object.assign(globalThis, { variables: request.variables, display: results.display })
  try {
    outcome = judge(request, results, await evaluate(request, entry))
  } catch (error) {
    finish(error)
  }
}

useSynchronousStreams()
await warmUp()
const request = readFrame(REQUEST_FD)
if (request !== null) void run(request)
