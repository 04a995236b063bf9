/**
 * Sets variables of this process, which is where the AWS SDK looks for its own; undefined takes one away. What was there before is back
 * when it is disposed of, so that no test reads what another one has set.
 */
export const setVariables = (variables: Readonly<Record<string, string | undefined>>): Disposable => {
  const before = new Map(Object.keys(variables).map((name) => [name, process.env[name]]))
  for (const [name, value] of Object.entries(variables)) setOne(name, value)
  return {
    [Symbol.dispose]: () => {
      for (const [name, value] of before) setOne(name, value)
    },
  }
}

const setOne = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}
