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
import { execFileSync } from 'node:child_process';
import { mkdir, open, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bodyOf, quiet, textOf } from '../../contract/content.js';
import { makeFolders } from './subject.js';
const signal = quiet();
const MIB = 1024 * 1024;
const watchPeak = () => {
    const before = process.memoryUsage.rss();
    let peak = before;
    return {
        look: () => {
            peak = Math.max(peak, process.memoryUsage.rss());
        },
        growth: () => peak - before,
    };
};
const all = { cursor: null, limit: 100, signal };
const openFiles = async () => (await readdir('/proc/self/fd')).length;
const makeBerth = async () => {
    const folders = await makeFolders();
    const berthId = folders.ids.berthId();
    await folders.berths.create(berthId, { signal });
    const place = { berthId, area: 'files' };
    return { ...folders, berthId, place, folder: folders.layout.files(berthId) };
};
describe('a folder of files that somebody has tampered with', () => {
    test('a symlink in it is not followed, not listed and not deleted', async () => {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_1, await makeBerth(), true);
            const secret = join(berth.layout.root, 'secret');
            await writeFile(secret, 'secret');
            await symlink(secret, `${berth.folder}/link`);
            await writeFile(`${berth.folder}/file`, 'plain');
            expect(await berth.files.get(berth.place, 'link', { signal })).toBeNull();
            expect(await berth.files.delete(berth.place, 'link', { signal })).toBe(false);
            // The control: what is a plain file in the same folder is seen.
            expect((await berth.files.list(berth.place, all)).entries.map((entry) => entry.name)).toEqual(['file']);
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
    test('a put replaces a symlink and leaves what it pointed to', async () => {
        const env_2 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_2, await makeBerth(), true);
            const secret = join(berth.layout.root, 'secret');
            await writeFile(secret, 'secret');
            await symlink(secret, `${berth.folder}/a`);
            await berth.files.put(berth.place, 'a', bodyOf('new'), { maxBytes: 10, signal });
            const found = await berth.files.get(berth.place, 'a', { signal });
            expect(found === null ? null : await textOf(found.body)).toBe('new');
            expect((await stat(secret)).size).toBe(6);
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
    test('a place that was replaced by a symlink to another berth is no place any more', async () => {
        const env_3 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_3, await makeBerth(), true);
            const other = berth.ids.berthId();
            await berth.berths.create(other, { signal });
            await berth.files.put({ berthId: other, area: 'files' }, 'a', bodyOf('theirs'), { maxBytes: 10, signal });
            await rename(berth.folder, `${berth.folder}.away`);
            await symlink(berth.layout.files(other), berth.folder);
            expect(await berth.files.get(berth.place, 'a', { signal })).toBeNull();
            expect((await berth.files.list(berth.place, all)).entries).toEqual([]);
            await expect(berth.files.put(berth.place, 'b', bodyOf('x'), { maxBytes: 10, signal })).rejects.toThrow('no such folder');
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
    test('a symlinked sub-folder of artifacts leads nowhere', async () => {
        const env_4 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_4, await makeBerth(), true);
            const runId = berth.ids.runId();
            const run = { berthId: berth.berthId, area: 'run', runId };
            await berth.files.put(berth.place, 'a', bodyOf('file'), { maxBytes: 10, signal });
            await mkdir(berth.layout.run(berth.berthId, runId));
            await symlink('../../files', join(berth.layout.run(berth.berthId, runId), 'out'));
            expect(await berth.files.get(run, 'out/a', { signal })).toBeNull();
            expect((await berth.files.list(run, all)).entries).toEqual([]);
            expect(await berth.files.deleteAll(run, { signal })).toBe(0);
            expect(await berth.files.usedBytes(berth.place, { signal })).toBe(4);
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
    test('a FIFO does not make a reader wait', async () => {
        const env_5 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_5, await makeBerth(), true);
            execFileSync('mkfifo', [`${berth.folder}/pipe`]);
            expect(await berth.files.get(berth.place, 'pipe', { signal })).toBeNull();
            expect((await berth.files.list(berth.place, all)).entries).toEqual([]);
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
describe('uploads', () => {
    test('a crash in the middle leaves nothing that anyone sees', async () => {
        const env_6 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_6, await makeBerth()
            // What a killed server leaves: a started file in `incoming`, no rename.
            , true);
            // What a killed server leaves: a started file in `incoming`, no rename.
            await writeFile(`${berth.layout.incoming}/started`, 'half');
            expect((await berth.files.list(berth.place, all)).entries).toEqual([]);
            expect(await berth.files.usedBytes(berth.place, { signal })).toBe(0);
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
    test('while a body still comes, nobody sees a part of it', async () => {
        const env_7 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_7, await makeBerth(), true);
            const { promise: hold, resolve: release } = Promise.withResolvers();
            const { promise: begun, resolve: begin } = Promise.withResolvers();
            const slow = (async function* () {
                yield Buffer.from('half');
                begin();
                await hold;
                yield Buffer.from('whole');
            })();
            const upload = berth.files.put(berth.place, 'a', slow, { maxBytes: 100, signal });
            await begun;
            expect((await berth.files.list(berth.place, all)).entries).toEqual([]);
            expect(await readdir(berth.folder)).toEqual([]);
            release();
            expect((await upload).bytes).toBe(9);
            expect((await berth.files.list(berth.place, all)).entries).toHaveLength(1);
        }
        catch (e_7) {
            env_7.error = e_7;
            env_7.hasError = true;
        }
        finally {
            const result_7 = __disposeResources(env_7);
            if (result_7)
                await result_7;
        }
    });
    test('every path that ends without a file leaves no temporary one', async () => {
        const env_8 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_8, await makeBerth(), true);
            await berth.files.put(berth.place, 'big', bodyOf('xxx'), { maxBytes: 2, signal }).catch(() => { });
            const gone = { ...berth.place, berthId: berth.ids.berthId() };
            await berth.files.put(gone, 'a', bodyOf('x'), { maxBytes: 2, signal }).catch(() => { });
            expect(await readdir(berth.layout.incoming)).toEqual([]);
        }
        catch (e_8) {
            env_8.error = e_8;
            env_8.hasError = true;
        }
        finally {
            const result_8 = __disposeResources(env_8);
            if (result_8)
                await result_8;
        }
    });
    test('a large upload passes through with hardly any memory', async () => {
        const env_9 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_9, await makeBerth(), true);
            const chunk = Buffer.alloc(MIB);
            const peak = watchPeak();
            const body = (async function* () {
                for (let n = 0; n < 100; n += 1) {
                    peak.look();
                    yield chunk;
                }
            })();
            const entry = await berth.files.put(berth.place, 'large', body, { maxBytes: 100 * MIB, signal });
            expect(entry.bytes).toBe(100 * MIB);
            expect(peak.growth()).toBeLessThan(50 * MIB);
        }
        catch (e_9) {
            env_9.error = e_9;
            env_9.hasError = true;
        }
        finally {
            const result_9 = __disposeResources(env_9);
            if (result_9)
                await result_9;
        }
    });
    test('a large download holds only what is read at the moment', async () => {
        const env_10 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_10, await makeBerth(), true);
            const sparse = await open(`${berth.folder}/large`, 'w');
            await sparse.truncate(1024 * MIB);
            await sparse.close();
            const peak = watchPeak();
            let bytes = 0;
            const found = await berth.files.get(berth.place, 'large', { signal });
            for await (const chunk of found?.body ?? []) {
                peak.look();
                bytes += chunk.byteLength;
            }
            expect(bytes).toBe(1024 * MIB);
            // Chunks wait for the garbage collector, so some of them pile up; a quarter of the file would be far too many.
            expect(peak.growth()).toBeLessThan(256 * MIB);
        }
        catch (e_10) {
            env_10.error = e_10;
            env_10.hasError = true;
        }
        finally {
            const result_10 = __disposeResources(env_10);
            if (result_10)
                await result_10;
        }
    });
});
describe('an open file', () => {
    test('is closed at its end, and when the reader leaves before the first chunk or after it', async () => {
        const env_11 = { stack: [], error: void 0, hasError: false };
        try {
            const berth = __addDisposableResource(env_11, await makeBerth(), true);
            await berth.files.put(berth.place, 'a', bodyOf('x'.repeat(300_000)), { maxBytes: 300_000, signal });
            const before = await openFiles();
            for (let round = 0; round < 5; round += 1) {
                const whole = await berth.files.get(berth.place, 'a', { signal });
                if (whole !== null)
                    await textOf(whole.body);
                const unread = await berth.files.get(berth.place, 'a', { signal });
                await unread?.body[Symbol.asyncIterator]().return?.();
                const left = await berth.files.get(berth.place, 'a', { signal });
                const chunks = left?.body[Symbol.asyncIterator]();
                await chunks?.next();
                await chunks?.return?.();
            }
            expect(await openFiles()).toBe(before);
        }
        catch (e_11) {
            env_11.error = e_11;
            env_11.hasError = true;
        }
        finally {
            const result_11 = __disposeResources(env_11);
            if (result_11)
                await result_11;
        }
    });
});
