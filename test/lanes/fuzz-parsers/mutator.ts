// Changes valid input into nearly valid input. The same seed and case number give the same bytes.
import { type Random, randomInteger, seededRandom } from '../../../src/core/base/index.ts';

/** How the bytes of a target are structured. */
export type Form = 'text' | 'json' | 'binary';

export interface Mutable {
  readonly form: Form;
  readonly seeds: readonly Buffer[];
  /** Tokens of the format, inserted whole. */
  readonly dictionary: readonly Buffer[];
  /** Maximum size of a case; those of operators' own files are smaller. */
  readonly bytesMax: number;
}

/** Sizes to which a part of the input is repeated; quadratic work shows only in large input. */
const blowUpBytes = [256, 2_048, 16_384, 131_072];

/** Integers at which parsers go wrong. */
const edgeIntegers = [
  ...['0', '-1', '1e999', '-0', '1e-400', '4294967296', '2147483648', '9007199254740993'],
  ...['18446744073709551616', '65535', '00', '0x10', '1_000', 'NaN', 'Infinity'],
];
const edgeValues: readonly unknown[] = [
  ...[
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    2 ** 53,
    '',
    'a',
    '\u0000',
    '\u001b[2J',
    '\ud800',
    '💥',
  ],
  ...[[], {}, [[]], [null], { a: 1 }, '__proto__', 'constructor', '{{', '..', '%00'],
];

/** Generates one case. */
export function mutated(target: Mutable, seed: number, number: number): Buffer {
  // Seeds that differ little give unrelated cases.
  const random = seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  const pick = <T>(from: readonly T[]): T => from[randomInteger(random, from.length)] as T;
  let bytes = pick(target.seeds);
  if (target.form === 'json' && random.next() < 0.6) bytes = mutatedJson(bytes, random);
  const steps = target.form === 'json' ? randomInteger(random, 3) : 1 + randomInteger(random, 4);
  for (let step = 0; step < steps; step++) bytes = changed(bytes, target, random, pick);
  return bytes.subarray(0, target.bytesMax);
}

function changed(
  bytes: Buffer,
  target: Mutable,
  random: Random,
  pick: <T>(from: readonly T[]) => T,
): Buffer {
  const at = randomInteger(random, bytes.length + 1);
  const end = Math.min(bytes.length, at + 1 + randomInteger(random, 1 + randomInteger(random, 64)));
  const [before, middle, after] = [
    bytes.subarray(0, at),
    bytes.subarray(at, end),
    bytes.subarray(end),
  ];
  switch (randomInteger(random, 12)) {
    case 0:
      return Buffer.concat([before, after]);
    case 1:
      return Buffer.from(before);
    case 2:
      return Buffer.concat([before, middle, middle, after]);
    case 3: {
      const copy = Buffer.from(bytes);
      if (at < copy.length) copy[at] = (copy[at] as number) ^ (1 << randomInteger(random, 8));
      return copy;
    }
    case 4: {
      const copy = Buffer.from(bytes);
      if (at < copy.length)
        copy[at] = pick([0, 10, 13, 32, 127, 128, 255, randomInteger(random, 256)]);
      return copy;
    }
    case 5:
    case 6:
      return Buffer.concat([
        before,
        pick(target.dictionary),
        target.form === 'binary' ? middle : after,
      ]);
    case 7: {
      const other = pick(target.seeds);
      return Buffer.concat([before, other.subarray(randomInteger(random, other.length + 1))]);
    }
    case 8: {
      // Large cases are rare, because they cost as much as hundreds of small ones.
      const scale = random.next() ** 12;
      const size = blowUpBytes[Math.floor(scale * blowUpBytes.length)] as number;
      const unit = middle.length > 0 && random.next() < 0.5 ? middle : pick(target.dictionary);
      return Buffer.concat([before, unit.length === 0 ? unit : Buffer.alloc(size, unit), after]);
    }
    case 9:
      return withNumber(bytes, random, pick);
    case 10: {
      const rest = Buffer.from(bytes);
      for (let i = at; i < end; i++) rest[i] = randomInteger(random, 256);
      return rest;
    }
    default:
      return Buffer.concat([before, Buffer.from(pick(edgeIntegers)), after]);
  }
}

/** Replaces one run of digits. */
function withNumber(bytes: Buffer, random: Random, pick: <T>(from: readonly T[]) => T): Buffer {
  const text = bytes.toString('latin1', 0, 4_096);
  const numbers = [...text.matchAll(/\d+/g)];
  if (numbers.length === 0) return bytes;
  const found = numbers[randomInteger(random, numbers.length)] as RegExpExecArray;
  return Buffer.concat([
    bytes.subarray(0, found.index),
    Buffer.from(pick(edgeIntegers)),
    bytes.subarray(found.index + found[0].length),
  ]);
}

/** Changes one value of a document: replaced, removed, moved, wrapped, or repeated. */
function mutatedJson(bytes: Buffer, random: Random): Buffer {
  let root: unknown;
  try {
    root = JSON.parse(bytes.toString());
  } catch {
    return bytes;
  }
  const pick = <T>(from: readonly T[]): T => from[randomInteger(random, from.length)] as T;
  const place = randomPlace(root, random);
  if (place === undefined) return Buffer.from(JSON.stringify(pick(edgeValues)) ?? 'null');
  const { holder, key } = place;
  const other = randomPlace(root, random) ?? place;
  // Large cases are rare, because they cost as much as hundreds of small ones.
  const rare = random.next() < 0.03;
  switch (randomInteger(random, 6)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 1:
      holder[key] = structuredClone(other.holder[other.key]);
      break;
    case 2: {
      const depth = rare ? pick([40, 600, 3_000]) : pick([1, 2, 9]);
      let value = holder[key];
      for (let i = 0; i < depth; i++) value = random.next() < 0.5 ? [value] : { a: value };
      holder[key] = value;
      break;
    }
    case 3: {
      const text = typeof holder[key] === 'string' ? (holder[key] as string) : 'ab';
      holder[key] = text.repeat(rare ? 1_000 : pick([2, 10]));
      break;
    }
    case 4:
      holder[key] = Array.from({ length: rare ? 1_000 : pick([2, 9]) }, () => holder[key]);
      break;
    default:
      holder[key] = pick(edgeValues);
  }
  try {
    return Buffer.from(JSON.stringify(root) ?? 'null');
  } catch {
    // A repeated list within a list is too large to write.
    return bytes;
  }
}

/** A value of the document: walks down at random. Undefined for a document without any. */
function randomPlace(
  root: unknown,
  random: Random,
): { readonly holder: Record<string, unknown>; readonly key: string } | undefined {
  let place: { readonly holder: Record<string, unknown>; readonly key: string } | undefined;
  for (let value = root; typeof value === 'object' && value !== null; ) {
    const keys = Object.keys(value);
    if (keys.length === 0 || (place !== undefined && random.next() < 0.25)) break;
    const key = keys[randomInteger(random, keys.length)] as string;
    place = { holder: value as Record<string, unknown>, key };
    value = place.holder[key];
  }
  return place;
}
