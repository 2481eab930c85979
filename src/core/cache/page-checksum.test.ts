import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PageChecksum } from './page-checksum.ts';

const page = 64 << 10;
const [p1, p2, p3, p5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x165667b1];

function round(sum: number, value: number, factor: number, bits: number): number {
  const mixed = (sum + Math.imul(value, factor)) | 0;
  return Math.imul((mixed << bits) | (mixed >>> (32 - bits)), p1);
}

/** The same checksum, as slow as it is plain. */
function plainSum(bytes: Uint8Array, before: number): number {
  let sum = before;
  for (let at = 0; at < bytes.length; at += page) sum = sumOfPage(bytes.slice(at, at + page), sum);
  return sum >>> 0;
}

function sumOfPage(bytes: Uint8Array, before: number): number {
  const view = new DataView(bytes.buffer);
  const lanes = Array.from({ length: 32 }, (_, i) => before + Math.imul(p3, (i >> 2) + 1));
  const blocksEnd = bytes.length & -128;
  for (let at = 0; at < blocksEnd; at += 4) {
    const lane = (at / 4) % 32;
    lanes[lane] = round(lanes[lane] as number, view.getUint32(at, true), p2, 13);
  }
  for (let i = 4; i < 32; i++)
    lanes[i % 4] = round(lanes[i % 4] as number, lanes[i] as number, p2, 13);
  let sum = bytes.length;
  for (let i = 0; i < 4; i++) sum = round(sum, lanes[i] as number, p2, 13);
  for (const byte of bytes.subarray(blocksEnd)) sum = round(sum, byte, p5, 11);
  sum = Math.imul(sum ^ (sum >>> 15), p2);
  sum = Math.imul(sum ^ (sum >>> 13), p3);
  return sum ^ (sum >>> 16);
}

const checksum = new PageChecksum();
const memory = new Uint8Array(checksum.allocate(8 * page));

test('the checksum is that of the plain program, whatever the size and the place', () => {
  fc.assert(
    fc.property(
      fc.nat(3 * page),
      fc.nat(4 * page),
      fc.integer({ min: 0, max: 0xffffffff }),
      fc.integer(),
      (size, at, before, seed) => {
        for (let i = 0; i < size; i++) memory[at + i] = Math.imul(i + seed, p1) >>> 24;
        const bytes = memory.subarray(at, at + size);
        assert.equal(checksum.of(bytes, before), plainSum(bytes.slice(), before));
      },
    ),
    { numRuns: 60 },
  );
});

test('a checksum continues from page to page', () => {
  memory.fill(7);
  const whole = checksum.of(memory.subarray(0, 3 * page + 9), 0);
  const first = checksum.of(memory.subarray(0, 2 * page), 0);
  assert.equal(checksum.of(memory.subarray(2 * page, 3 * page + 9), first), whole);
  assert.equal(checksum.of(memory.subarray(0, 0), first), first);
});

test('each bit counts, and so do two bits of one lane', () => {
  const size = page + 200;
  const bytes = memory.subarray(0, size).fill(0);
  const right = checksum.of(bytes, 0);
  const flip = (bit: number) => {
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
  };
  fc.assert(
    fc.property(fc.nat(8 * size - 1), fc.integer({ min: 1, max: 500 }), (bit, blocks) => {
      flip(bit);
      assert.notEqual(checksum.of(bytes, 0), right);
      const other = (bit + 8 * 128 * blocks) % (8 * size);
      flip(other);
      if (other !== bit) assert.notEqual(checksum.of(bytes, 0), right);
      flip(other);
      flip(bit);
    }),
    { numRuns: 2000 },
  );
  assert.equal(checksum.of(bytes, 0), right);
});

test('bytes elsewhere are refused', () => {
  assert.throws(() => checksum.of(new Uint8Array(10), 0), /outside its memory/);
});
