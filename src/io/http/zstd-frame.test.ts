import assert from 'node:assert/strict';
import { test } from 'node:test';
import { constants, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { hasWholeFrame } from './zstd-frame.ts';

const params = (checksum: number, level: number) => ({
  params: {
    [constants.ZSTD_c_checksumFlag]: checksum,
    [constants.ZSTD_c_compressionLevel]: level,
  },
});

test('a frame is whole at its last byte, and not before', () => {
  const bytes = fc.uint8Array({ maxLength: 3000 });
  const repeated = fc.tuple(fc.uint8Array({ maxLength: 9 }), fc.nat(50_000));
  fc.assert(
    fc.property(
      fc.oneof(
        bytes.map((all) => Buffer.from(all)),
        repeated.map(([some, count]) => Buffer.alloc(count, some.length > 0 ? some : 'x')),
      ),
      fc.nat(1),
      fc.integer({ min: 1, max: 9 }),
      fc.nat(),
      (text, checksum, level, cut) => {
        const frame = zstdCompressSync(text, params(checksum, level));
        assert.equal(hasWholeFrame(frame), true);
        assert.equal(hasWholeFrame(Buffer.concat([frame, frame.subarray(0, 7)])), true);
        assert.equal(hasWholeFrame(frame.subarray(0, cut % frame.length)), false);
      },
    ),
  );
});

test('a frame that decoders skip has its size, and what is no frame is left to them', () => {
  const skippable = Buffer.from('5a2a4d18030000006162', 'hex');
  assert.equal(hasWholeFrame(skippable), false);
  assert.equal(hasWholeFrame(Buffer.concat([skippable, Buffer.from('c')])), true);
  assert.equal(hasWholeFrame(Buffer.from('{"model":"m"}')), true);
});
