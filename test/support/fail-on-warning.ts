/** A warning of the process (a leak of listeners, a deprecation) fails the run; that a feature is experimental does not. */
process.on('warning', (warning) => {
  if (warning.name !== 'ExperimentalWarning') throw warning
})
