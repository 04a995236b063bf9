import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultRunLimits } from '../../../src/domain/limits.js';
import { createBerthFolders } from '../../../src/backends/local/berth-folders.js';
import { createFolderFiles } from '../../../src/backends/local/folder-files.js';
import { openLayout } from '../../../src/backends/local/layout.js';
import { createLocalBackend } from '../../../src/backends/local/local-backend.js';
import { createRandomIds } from '../../../src/main/random-ids.js';
import { createSystemClock } from '../../../src/main/system-clock.js';
/** A data directory of its own. Not below /tmp by chance only: the sandbox has a /tmp of its own, and so the tests see it. */
export const makeFolder = async () => {
    const path = await mkdtemp(join(tmpdir(), 'berth-test-'));
    return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};
/** The folders of the local backend without a runner: enough for Berths and TenantFiles. */
export const makeFolders = async () => {
    const folder = await makeFolder();
    const layout = await openLayout(folder.path, []);
    const ids = createRandomIds(createSystemClock());
    return {
        layout,
        ids,
        berths: createBerthFolders(layout),
        files: createFolderFiles(layout),
        makePartial: async (berthId) => {
            await mkdir(layout.files(berthId), { recursive: true });
        },
        [Symbol.asyncDispose]: folder[Symbol.asyncDispose],
    };
};
/** A whole local backend in a folder of its own, with what it told. */
export const makeBackend = async (options = {}) => {
    const folder = await makeFolder();
    const events = [];
    const clock = createSystemClock();
    const ids = createRandomIds(clock);
    const dataDir = join(folder.path, 'berth');
    try {
        const backend = await createLocalBackend({
            dataDir,
            events: { emit: (event) => void events.push(event) },
            clock,
            ids,
            ...options,
        });
        return {
            ...backend,
            dataDir,
            ids,
            events,
            [Symbol.asyncDispose]: async () => {
                await backend[Symbol.asyncDispose]();
                await folder[Symbol.asyncDispose]();
            },
        };
    }
    catch (error) {
        await folder[Symbol.asyncDispose]();
        throw error;
    }
};
/** Runs code in a berth through the port. */
export const oneRun = (backend, berthId, run) => backend.dispatch.dispatch({
    berthId,
    request: {
        runId: backend.ids.runId(),
        language: run.language ?? 'python',
        code: run.code,
        variables: run.variables ?? {},
        files: [...(run.files ?? [])],
        profile: 'default',
        limits: { ...defaultRunLimits, ...run.limits },
        minRunnerVersion: run.minRunnerVersion ?? 0,
    },
    signal: run.signal ?? new AbortController().signal,
    ...(run.onOutput === undefined ? {} : { onOutput: run.onOutput }),
});
