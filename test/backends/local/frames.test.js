import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFrameReader, encodeFrame } from '../../../src/backends/local/frames.js';
const readAll = (chunks, maxBytes) => {
    const messages = [];
    const reader = createFrameReader((json) => messages.push(JSON.parse(json)), maxBytes);
    for (const chunk of chunks)
        reader.push(chunk);
    return messages;
};
const cut = (bytes, places) => {
    const cuts = [0, ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
    return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
};
describe('frames', () => {
    test('the header is the length of the UTF-8 bytes, big end first', () => {
        const frame = encodeFrame('ä');
        expect([...frame.subarray(0, 4)]).toEqual([0, 0, 0, 4]);
        expect(frame.subarray(4).toString()).toBe('"ä"');
    });
    test('messages come back in order however the bytes are cut', () => {
        fc.assert(fc.property(fc.array(fc.jsonValue()), fc.array(fc.nat()), (messages, places) => {
            const bytes = Buffer.concat(messages.map((message) => encodeFrame(message)));
            const expected = messages.map((message) => JSON.parse(JSON.stringify(message)));
            expect(readAll(cut(bytes, places))).toEqual(expected);
        }));
    });
    test('a large frame in many chunks is put together', () => {
        const text = 'ä'.repeat(3_000_000);
        const bytes = encodeFrame(text);
        const chunks = Array.from({ length: Math.ceil(bytes.length / 65_536) }, (_, n) => bytes.subarray(n * 65_536, (n + 1) * 65_536));
        expect(readAll(chunks)).toEqual([text]);
    });
    test('a frame of exactly the limit passes and one byte more throws at its header', () => {
        expect(readAll([encodeFrame('x'.repeat(98))], 100)).toHaveLength(1);
        expect(() => readAll([encodeFrame('x'.repeat(99)).subarray(0, 4)], 100)).toThrow(RangeError);
    });
    test('half a frame is no message', () => {
        expect(readAll([encodeFrame('hello').subarray(0, 8)])).toEqual([]);
    });
});
