/** A server's process with a run under way, for a test that kills it. Prints one line when the run has begun. */
import { createLocalBackend } from '../../../src/backends/local/local-backend.js';
import { createRandomIds } from '../../../src/main/random-ids.js';
import { createSystemClock } from '../../../src/main/system-clock.js';
import { oneRun } from './subject.js';
const clock = createSystemClock();
const ids = createRandomIds(clock);
const dataDir = process.argv[2] ?? '';
const backend = await createLocalBackend({ dataDir, events: { emit: () => { } }, clock, ids });
const berthId = ids.berthId();
await backend.berths.create(berthId, { signal: new AbortController().signal });
const code = 'import subprocess, time\nsubprocess.Popen(["sleep", "300"])\nprint("begun", flush=True)\ntime.sleep(300)';
await oneRun({ ...backend, ids }, berthId, { code, onOutput: () => console.log('begun') });
