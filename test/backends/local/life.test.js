var __addDisposableResource = (this && this.__addDisposableResource) || function (env, value, async) {
    if (value !== null && value !== void 0) {
        if (typeof value !== "object" && typeof value !== "function") throw new TypeError("Object expected.");
        var dispose, inner;
        if (async) {
            if (!Symbol.asyncDispose) throw new TypeError("Symbol.asyncDispose is not defined.");
            dispose = value[Symbol.asyncDispose];
        }
        if (dispose === void 0) {
            if (!Symbol.dispose) throw new TypeError("Symbol.dispose is not defined.");
            dispose = value[Symbol.dispose];
            if (async) inner = dispose;
        }
        if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
        if (inner) dispose = function() { try { inner.call(this); } catch (e) { return Promise.reject(e); } };
        env.stack.push({ value: value, dispose: dispose, async: async });
    }
    else if (async) {
        env.stack.push({ async: true });
    }
    return value;
};
var __disposeResources = (this && this.__disposeResources) || (function (SuppressedError) {
    return function (env) {
        function fail(e) {
            env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
            env.hasError = true;
        }
        var r, s = 0;
        function next() {
            while (r = env.stack.pop()) {
                try {
                    if (!r.async && s === 1) return s = 0, env.stack.push(r), Promise.resolve().then(next);
                    if (r.dispose) {
                        var result = r.dispose.call(r.value);
                        if (r.async) return s |= 2, Promise.resolve(result).then(next, function(e) { fail(e); return next(); });
                    }
                    else s |= 1;
                }
                catch (e) {
                    fail(e);
                }
            }
            if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
            if (env.hasError) throw env.error;
        }
        return next();
    };
})(typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
    var e = new Error(message);
    return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
});
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { descendants } from '../../../scripts/bench/process-memory.js';
import { codeOf, quiet } from '../../contract/content.js';
import { makeBackend, makeFolder, oneRun } from './subject.js';
const makeBerth = async () => {
    const backend = await makeBackend();
    const berthId = backend.ids.berthId();
    await backend.berths.create(berthId, { signal: quiet() });
    const runnerPid = () => Number(backend.events.findLast((event) => event.code === 'runner.started')?.detail?.['pid']);
    return { ...backend, berthId, runnerPid };
};
/** A process that is gone, or that only waits for its parent to take note, runs no code any more. */
const isAlive = async (pid) => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
    return stat !== null && !/\) [ZX] /.test(stat);
};
const survivors = async (pids, withinMs) => {
    const endAt = performance.now() + withinMs;
    for (;;) {
        const alive = [];
        for (const pid of pids)
            if (await isAlive(pid))
                alive.push(pid);
        if (alive.length === 0 || performance.now() > endAt)
            return alive;
        await sleep(20);
    }
};
const SLEEPER = 'import subprocess, time\nsubprocess.Popen(["sleep", "300"])\nprint("begun", flush=True)\ntime.sleep(300)';
describe('a runner that is killed', () => {
    test('in the middle of a run loses that run with a typed error, and the next run works', async () => {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_1, await makeBerth(), true);
            const { promise: begun, resolve: begin } = Promise.withResolvers();
            const lost = codeOf(oneRun(backend, backend.berthId, { code: SLEEPER, onOutput: () => begin() }));
            await begun;
            const processes = await descendants(backend.runnerPid());
            process.kill(backend.runnerPid(), 'SIGKILL');
            expect(await lost).toBe('runner_failed');
            expect((await oneRun(backend, backend.berthId, { code: '1 + 1' })).outcome.status).toBe('succeeded');
            expect(await survivors(processes, 5_000)).toEqual([]);
        }
        catch (e_1) {
            env_1.error = e_1;
            env_1.hasError = true;
        }
        finally {
            const result_1 = __disposeResources(env_1);
            if (result_1)
                await result_1;
        }
    });
});
describe('closing', () => {
    test('leaves no process behind, not even those of a run under way', async () => {
        const backend = await makeBerth();
        const { promise: begun, resolve: begin } = Promise.withResolvers();
        const run = codeOf(oneRun(backend, backend.berthId, { code: SLEEPER, onOutput: () => begin() }));
        await begun;
        const processes = await descendants(backend.runnerPid());
        await backend[Symbol.asyncDispose]();
        expect(await survivors(processes, 5_000)).toEqual([]);
        await run;
        // The control: there was more than the runner itself.
        expect(processes.length).toBeGreaterThan(3);
    });
    test('twice is fine, and a run afterwards is refused', async () => {
        const backend = await makeBerth();
        await backend[Symbol.asyncDispose]();
        await backend[Symbol.asyncDispose]();
        // Its folder is gone with the test's; what counts is that it says so instead of hanging.
        expect(await codeOf(oneRun(backend, backend.berthId, { code: '1' }))).toBe('backend_unavailable');
    });
});
const startServer = (dataDir) => spawn(process.execPath, [join(import.meta.dirname, 'killed-server.ts'), dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
});
describe('a server that is killed', () => {
    test('takes its runner and every sandbox with it', async () => {
        const env_2 = { stack: [], error: void 0, hasError: false };
        try {
            const folder = __addDisposableResource(env_2, await makeFolder(), true);
            const server = startServer(join(folder.path, 'berth'));
            await once(createInterface({ input: server.stdout }), 'line');
            const processes = await descendants(server.pid ?? 0);
            server.kill('SIGKILL');
            expect(await survivors(processes, 10_000)).toEqual([]);
            expect(processes.length).toBeGreaterThan(4);
        }
        catch (e_2) {
            env_2.error = e_2;
            env_2.hasError = true;
        }
        finally {
            const result_2 = __disposeResources(env_2);
            if (result_2)
                await result_2;
        }
    });
});
describe('recycling', () => {
    test('while runs are under way disturbs none of them', async () => {
        const env_3 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_3, await makeBerth(), true);
            const runs = Array.from({ length: 12 }, (_, n) => oneRun(backend, backend.berthId, { code: `import time\ntime.sleep(0.1)\n${n}` }));
            const image = (await backend.dispatch.describe()).runner.image;
            await backend.fleet.update(backend.berthId, image, { signal: quiet() });
            expect((await Promise.all(runs)).map((reply) => reply.results[0]?.json)).toEqual(runs.map((_, n) => n));
        }
        catch (e_3) {
            env_3.error = e_3;
            env_3.hasError = true;
        }
        finally {
            const result_3 = __disposeResources(env_3);
            if (result_3)
                await result_3;
        }
    });
    test('gives new runs another address layout and hash seed', async () => {
        const env_4 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_4, await makeBerth(), true);
            const layout = async () => (await oneRun(backend, backend.berthId, { code: '[str(id(print)), str(hash("abc"))]' })).results[0]?.json;
            const before = await layout();
            expect(before).toHaveLength(2);
            // The control: without it, both stay the same.
            expect(await layout()).toEqual(before);
            await backend.fleet.update(backend.berthId, (await backend.dispatch.describe()).runner.image, { signal: quiet() });
            expect(await layout()).not.toEqual(before);
        }
        catch (e_4) {
            env_4.error = e_4;
            env_4.hasError = true;
        }
        finally {
            const result_4 = __disposeResources(env_4);
            if (result_4)
                await result_4;
        }
    });
});
test('a listener that throws fails its own run and no other', async () => {
    const env_5 = { stack: [], error: void 0, hasError: false };
    try {
        const backend = __addDisposableResource(env_5, await makeBerth(), true);
        const beside = oneRun(backend, backend.berthId, { code: 'import time\ntime.sleep(0.2)\n"fine"' });
        const broken = oneRun(backend, backend.berthId, {
            code: 'print("x", flush=True)',
            onOutput: () => {
                throw new Error('the listener broke');
            },
        });
        await expect(broken).rejects.toThrow('the listener broke');
        expect((await beside).results[0]?.json).toBe('fine');
        expect(backend.events.filter((event) => event.code === 'runner.started')).toHaveLength(1);
    }
    catch (e_5) {
        env_5.error = e_5;
        env_5.hasError = true;
    }
    finally {
        const result_5 = __disposeResources(env_5);
        if (result_5)
            await result_5;
    }
});
test('a refusal for the fence disturbs no other run', async () => {
    const env_6 = { stack: [], error: void 0, hasError: false };
    try {
        const backend = __addDisposableResource(env_6, await makeBerth(), true);
        const others = Array.from({ length: 6 }, (_, n) => oneRun(backend, backend.berthId, { code: `import time\ntime.sleep(0.05)\n${n}` }));
        const refused = await codeOf(oneRun(backend, backend.berthId, { code: '1', minRunnerVersion: 1_000_000 }));
        const after = await oneRun(backend, backend.berthId, { code: '"after"' });
        expect(refused).toBe('runner_outdated');
        expect((await Promise.all(others)).map((reply) => reply.results[0]?.json)).toEqual(others.map((_, n) => n));
        expect(after.outcome.status).toBe('succeeded');
    }
    catch (e_6) {
        env_6.error = e_6;
        env_6.hasError = true;
    }
    finally {
        const result_6 = __disposeResources(env_6);
        if (result_6)
            await result_6;
    }
});
