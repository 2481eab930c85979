// The WebAssembly module of `PageChecksum`, put together from its instructions, so that no compiler is needed and nothing binary
// is kept. Its function sum(at, size, before) returns the checksum of bytes in the imported memory.
//
// For each page of 64 KiB: 32 lanes of 32 bits start from the checksum before; each block of 128 bytes is one round of xxHash32 in
// all lanes; the lanes are then rounds over each other, and the bytes behind the last block and the number of all bytes follow as in
// xxHash32 (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md).

/** Bytes after which the lanes are folded: a page, so that a value's checksum does not depend on how its bytes came. */
const pageBytes = 64 << 10;
const vectors = 8;
const blockBytes = 16 * vectors;
/** xxHash32's primes. */
const primes = { p1: 0x9e3779b1, p2: 0x85ebca77, p3: 0xc2b2ae3d, p5: 0x165667b1 } as const;

/** Locals: the parameters, then the others. */
const [at, size, sum, count, blocksEnd, end, firstVector] = [0, 1, 2, 3, 4, 5, 6];

type Code = readonly number[];

export function checksumModule(): Uint8Array<ArrayBuffer> {
  const i32 = 0x7f;
  const v128 = 0x7b;
  const locals = [2, ...[3, i32], ...[vectors, v128]];
  const body = [...locals, ...sumOfPages, ...getLocal(sum), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 3, i32, i32, i32, 1, i32]),
    // A shared memory of any size.
    ...section(2, [1, ...name('cache'), ...name('memory'), 0x02, 0x03, 0, ...unsigned(65_536)]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('sum'), 0x00, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

const vectorIndexes = Array.from({ length: vectors }, (_, i) => i);
const vector = (i: number) => firstVector + i;

const sumOfPages: Code = loop(
  ...getLocal(size),
  ...when(
    // count = min(size, pageBytes)
    ...getLocal(size),
    ...constant(pageBytes),
    ...getLocal(size),
    ...constant(pageBytes),
    ...[0x49, 0x1b],
    ...setLocal(count),
    ...vectorIndexes.flatMap((i) => [
      ...getLocal(sum),
      ...constant(Math.imul(primes.p3, i + 1)),
      ...[0x6a, 0xfd, 0x11],
      ...setLocal(vector(i)),
    ]),
    ...sumOfBlocks(),
    ...foldOfVectors(),
    ...sumOfRest(),
    ...avalanche(),
    ...getLocal(size),
    ...getLocal(count),
    0x6b,
    ...setLocal(size),
    // To the next page.
    ...[0x0c, 1],
  ),
);

function sumOfBlocks(): Code {
  return [
    ...getLocal(at),
    ...getLocal(count),
    0x6a,
    ...setLocal(end),
    ...getLocal(at),
    ...getLocal(count),
    ...constant(-blockBytes),
    ...[0x71, 0x6a],
    ...setLocal(blocksEnd),
    ...loop(
      ...isBefore(blocksEnd),
      ...when(
        ...vectorIndexes.flatMap((i) => {
          const load = [...getLocal(at), 0xfd, 0x00, 0, ...unsigned(16 * i)];
          return vectorRound(vector(i), load);
        }),
        ...advance(blockBytes),
        ...[0x0c, 1],
      ),
    ),
  ];
}

/** The number of bytes, then rounds of all lanes. */
function foldOfVectors(): Code {
  return [
    ...vectorIndexes.slice(1).flatMap((i) => vectorRound(vector(0), getLocal(vector(i)))),
    ...getLocal(count),
    ...setLocal(sum),
    ...[0, 1, 2, 3].flatMap((lane) =>
      round([...getLocal(vector(0)), 0xfd, 0x1b, lane], primes.p2, 13),
    ),
  ];
}

function sumOfRest(): Code {
  return loop(
    ...isBefore(end),
    ...when(...round([...getLocal(at), 0x2d, 0, 0], primes.p5, 11), ...advance(1), ...[0x0c, 1]),
  );
}

/** sum = rotl(sum + value * factor, bits) * p1 */
function round(value: Code, factor: number, bits: number): Code {
  return [
    ...getLocal(sum),
    ...value,
    ...constant(factor),
    ...[0x6c, 0x6a],
    ...constant(bits),
    0x77,
    ...constant(primes.p1),
    0x6c,
    ...setLocal(sum),
  ];
}

/** As `round` in four lanes, of 13 bits. */
function vectorRound(local: number, value: Code): Code {
  return [
    ...getLocal(local),
    ...value,
    ...vectorConstant(primes.p2),
    ...[0xfd, 0xb5, 0x01, 0xfd, 0xae, 0x01],
    ...[0x22, local],
    ...constant(13),
    ...[0xfd, 0xab, 0x01],
    ...getLocal(local),
    ...constant(32 - 13),
    ...[0xfd, 0xad, 0x01, 0xfd, 0x50],
    ...vectorConstant(primes.p1),
    ...[0xfd, 0xb5, 0x01],
    ...setLocal(local),
  ];
}

/** xxHash32's last step: each bit depends on all. */
function avalanche(): Code {
  const shift = (bits: number) => [
    ...getLocal(sum),
    ...getLocal(sum),
    ...constant(bits),
    ...[0x76, 0x73],
  ];
  return [
    ...[...shift(15), ...constant(primes.p2), 0x6c, ...setLocal(sum)],
    ...[...shift(13), ...constant(primes.p3), 0x6c, ...setLocal(sum)],
    ...[...shift(16), ...setLocal(sum)],
  ];
}

function isBefore(local: number): Code {
  return [...getLocal(at), ...getLocal(local), 0x49];
}

function advance(bytes: number): Code {
  return [...getLocal(at), ...constant(bytes), 0x6a, ...setLocal(at)];
}

function getLocal(local: number): Code {
  return [0x20, local];
}

function setLocal(local: number): Code {
  return [0x21, local];
}

function loop(...code: Code): Code {
  return [0x03, 0x40, ...code, 0x0b];
}

function when(...code: Code): Code {
  return [0x04, 0x40, ...code, 0x0b];
}

function constant(value: number): Code {
  const bytes = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const isLast = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return [0x41, ...bytes];
  }
}

function vectorConstant(value: number): Code {
  const bytes = [0, 8, 16, 24].map((bits) => (value >>> bits) & 0xff);
  return [0xfd, 0x0c, ...bytes, ...bytes, ...bytes, ...bytes];
}

function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function section(id: number, content: Code): Code {
  return [id, ...unsigned(content.length), ...content];
}

function name(text: string): Code {
  return [text.length, ...Array.from(text, (character) => character.charCodeAt(0))];
}
