/** What a program of ours needs to start, and nothing that this process was given besides. */
export const bareEnvironment = (): Record<string, string> =>
  Object.fromEntries(
    // The second keeps what Node has compiled: a test may start Berth dozens of times.
    ['PATH', 'NODE_COMPILE_CACHE'].flatMap((name) => {
      const value = process.env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
