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
import { mkdir, readdir, rename, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLayout } from '../../../src/backends/local/layout.js';
import { sweepFolder } from '../../../src/backends/local/folder-walk.js';
import { collect, quiet } from '../../contract/content.js';
import { makeFolder, makeFolders } from './subject.js';
const signal = quiet();
describe('folders of berths', () => {
    test('nobody but the server may look into a berth', async () => {
        const env_1 = { stack: [], error: void 0, hasError: false };
        try {
            const folders = __addDisposableResource(env_1, await makeFolders(), true);
            const berthId = folders.ids.berthId();
            await folders.berths.create(berthId, { signal });
            for (const path of [folders.layout.berths, folders.layout.berth(berthId), folders.layout.incoming])
                expect((await stat(path)).mode & 0o777).toBe(0o700);
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
    test('a destroy that was cut off after its first step is partial, and the next one ends it', async () => {
        const env_2 = { stack: [], error: void 0, hasError: false };
        try {
            const folders = __addDisposableResource(env_2, await makeFolders(), true);
            const berthId = folders.ids.berthId();
            await folders.berths.create(berthId, { signal });
            await rename(folders.layout.berth(berthId), `${folders.layout.trash}/${berthId}.cut-off`);
            expect(await folders.berths.find(berthId, { signal })).toEqual({ berthId, partial: true });
            expect(await collect(folders.berths.list({ signal }))).toEqual([{ berthId, partial: true }]);
            const report = await folders.berths.destroy(berthId, { signal });
            expect(report.deleted[0]).toEqual({ kind: 'folder', name: berthId, count: 1 });
            expect(await folders.berths.find(berthId, { signal })).toBeNull();
            expect(await readdir(folders.layout.trash)).toEqual([]);
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
    test('what is no berth is not listed', async () => {
        const env_3 = { stack: [], error: void 0, hasError: false };
        try {
            const folders = __addDisposableResource(env_3, await makeFolders(), true);
            await mkdir(join(folders.layout.berths, 'lost+found'));
            await writeFile(join(folders.layout.berths, 'notes.txt'), 'x');
            expect(await collect(folders.berths.list({ signal }))).toEqual([]);
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
    test('200 berths are made, listed and destroyed', async () => {
        const env_4 = { stack: [], error: void 0, hasError: false };
        try {
            const folders = __addDisposableResource(env_4, await makeFolders(), true);
            const ids = Array.from({ length: 200 }, () => folders.ids.berthId());
            for (const berthId of ids)
                await folders.berths.create(berthId, { signal });
            expect((await collect(folders.berths.list({ signal }))).map((one) => one.berthId).toSorted()).toEqual(ids.toSorted());
            for (const berthId of ids)
                await folders.berths.destroy(berthId, { signal });
            expect(await collect(folders.berths.list({ signal }))).toEqual([]);
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
describe('the data directory', () => {
    test('is refused where every sandbox could read it, also through a symlink', async () => {
        const env_5 = { stack: [], error: void 0, hasError: false };
        try {
            const folder = __addDisposableResource(env_5, await makeFolder(), true);
            const visible = join(folder.path, 'visible');
            await mkdir(visible);
            await symlink(visible, join(folder.path, 'link'));
            await expect(openLayout(join(visible, 'berth'), [visible])).rejects.toMatchObject({ code: 'config_invalid' });
            await expect(openLayout(join(folder.path, 'link', 'berth'), [visible])).rejects.toThrow('BERTH_DATA_DIR');
            // The control: beside it, it is fine; a longer name with the same beginning is beside it.
            await expect(openLayout(join(folder.path, 'visible-not'), [visible])).resolves.toBeDefined();
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
    test('is refused below the folders of the system', async () => {
        await expect(openLayout('/usr/share/berth-test', [])).rejects.toMatchObject({ code: 'config_invalid' });
    });
    test('loses abandoned uploads at the next start and keeps those that are written to', async () => {
        const env_6 = { stack: [], error: void 0, hasError: false };
        try {
            const folders = __addDisposableResource(env_6, await makeFolders(), true);
            await writeFile(join(folders.layout.incoming, 'upload'), 'x');
            const now = Date.now();
            expect(await sweepFolder(folders.layout.incoming, 60_000, new Date(now))).toBe(0);
            expect(await sweepFolder(folders.layout.incoming, 60_000, new Date(now + 120_000))).toBe(1);
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
});
