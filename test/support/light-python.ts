import { resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../../.cache/test/light-python')

/**
 * A Python without numpy, pandas and matplotlib, for BERTH_PYTHON where a test runs no code that needs them: importing them and making
 * the cache of fonts takes two seconds of a core at every start of a server. Made by `make-light-python.ts` before the first test.
 */
export const LIGHT_PYTHON = { folder, path: resolve(folder, 'bin/python') }

/** The one of this checkout, which has all that the image has. */
export const WHOLE_PYTHON = resolve(import.meta.dirname, '../../.venv/bin/python')
