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
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isBerthError } from '../../../src/domain/errors.js';
import { codeOf, quiet } from '../../contract/content.js';
import { makeBackend, oneRun } from './subject.js';
const runnerDir = join(import.meta.dirname, 'scripted-runner');
/** A backend whose runner misbehaves in the named way. */
const misbehaving = async (level) => {
    const backend = await makeBackend({ runnerDir, level });
    const berthId = backend.ids.berthId();
    await backend.berths.create(berthId, { signal: quiet() });
    return { ...backend, run: (code = '1') => oneRun(backend, berthId, { code }) };
};
describe('a runner that does not start', () => {
    test('because there is no sandbox tells the remedy', async () => {
        const error = await makeBackend({ runnerDir, level: 'no-sandbox' }).catch((error) => error);
        expect(error).toMatchObject({ code: 'sandbox_unavailable', message: 'No user namespaces. Install bubblewrap.' });
    });
    test('because it breaks tells what it printed, to the log', async () => {
        const error = await makeBackend({ runnerDir, level: 'breaks-at-start' }).catch((error) => error);
        expect(error).toMatchObject({ code: 'backend_unavailable', data: { stderr: 'cannot import something' } });
    });
    test('because it speaks another protocol is refused', async () => {
        expect(await codeOf(makeBackend({ runnerDir, level: 'another-protocol' }))).toBe('backend_unavailable');
    });
    test('because its Python does not exist says so', async () => {
        const error = await makeBackend({ runnerDir, python: '/nowhere/bin/python' }).catch((error) => error);
        expect(isBerthError(error) && error.data['stderr']).toContain('ENOENT');
    });
});
describe('a runner that breaks', () => {
    test.each(['dies', 'writes-garbage', 'leaves-after-started'])('when it %s, the run is lost with a typed error and never sent again, and the next one works', async (mode) => {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_1, await misbehaving(mode), true);
            expect(await codeOf(backend.run())).toBe('runner_failed');
            expect((await backend.run()).outcome.status).toBe('succeeded');
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
    test('when it leaves in order before a run started, the run goes to the next process', async () => {
        const env_2 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_2, await misbehaving('leaves-in-order'), true);
            expect((await backend.run()).outcome.status).toBe('succeeded');
            expect(backend.events.filter((event) => event.code === 'runner.started')).toHaveLength(2);
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
describe('a reply', () => {
    test('that has not the agreed shape is malformed', async () => {
        const env_3 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_3, await misbehaving('answers-nonsense'), true);
            expect(await codeOf(backend.run())).toBe('malformed_reply');
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
    test('with the success shape is a success, whatever else it carries', async () => {
        const env_4 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_4, await misbehaving('forges-both'), true);
            expect((await backend.run()).outcome.status).toBe('succeeded');
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
    test.each([
        ['runner_outdated', 'runner_outdated'],
        ['runner_failed', 'runner_failed'],
        ['file_not_found', 'file_not_found'],
        ['malformed_request', 'internal'],
        ['unheard_of', 'malformed_reply'],
    ])('that refuses with %s becomes the error %s', async (refusal, expected) => {
        const env_5 = { stack: [], error: void 0, hasError: false };
        try {
            const backend = __addDisposableResource(env_5, await misbehaving('refuses'), true);
            expect(await codeOf(backend.run(refusal))).toBe(expected);
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
});
test("the runner sees nothing of the server's environment", async () => {
    const env_6 = { stack: [], error: void 0, hasError: false };
    try {
        process.env['BERTH_TEST_SECRET'] = 'secret';
        const backend = __addDisposableResource(env_6, await misbehaving('prints-environment'), true);
        await backend.run();
        delete process.env['BERTH_TEST_SECRET'];
        const printed = backend.events.find((event) => event.code === 'runner.log')?.detail?.['line'];
        expect(String(printed)).not.toContain('secret');
        // The control: what it was given is there.
        expect(String(printed)).toContain('PYTHONPATH');
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
