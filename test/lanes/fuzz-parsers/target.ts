// One parser of bytes from outside, as the campaign plays it: its seeds, its words, and how it refuses.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Form, Mutable } from './mutator.ts';

export interface Target extends Mutable {
  readonly name: string;
  /** Share of all cases; cheap parsers of untrusted clients get more. */
  readonly weight: number;
  /**
   * Parses one case. A wrong result throws an error that is not a refusal.
   *
   * @returns The longest time in ms without a turn of the event loop, if the parser divides its work; else the whole time counts.
   */
  readonly run: (bytes: Buffer) => void | number | Promise<void> | Promise<number>;
  /** Whether an error is how the parser refuses input. */
  readonly isRefusal: (error: unknown) => boolean;
}

type Constructor = abstract new (...args: never[]) => unknown;

const corpus = join(import.meta.dirname, 'corpus');

export function target(
  name: string,
  options: {
    readonly form: Form;
    readonly weight: number;
    /** Folder of its seeds. @default the name */
    readonly folder?: string;
    /** @default 256 KiB */
    readonly bytesMax?: number;
    readonly dictionary: readonly string[];
    readonly refusals: readonly Constructor[];
    readonly run: Target['run'];
  },
): Target {
  const { form, weight, folder = name, bytesMax = 262_144, dictionary, refusals, run } = options;
  const directory = join(corpus, folder);
  const files = readdirSync(directory).toSorted();
  return {
    ...{ name, form, weight, bytesMax, run },
    seeds: files.map((file) => readFileSync(join(directory, file))),
    dictionary: dictionary.map((token) => Buffer.from(token, 'latin1')),
    isRefusal: (error) => refusals.some((refusal) => error instanceof refusal),
  };
}

/** Pieces of JSON. */
export const jsonTokens = [
  ...[
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\"',
    '\\u0000',
    '\\ud800',
    '\\u',
    'null',
    'true',
    '1e400',
  ],
  ...[
    '"model":',
    '"stream":true',
    '"messages":',
    '"prompt":"',
    '{"a":',
    '[[[[[[[[',
    ' ',
    '\n',
    '\xc3',
    '\xef\xbb\xbf',
  ],
];

/** Size of the pieces in which a case is played again: below `pieceBytesMax`, but at most 4,096 pieces. */
export function pieceBytesOf({ length }: Buffer, pieceBytesMax: number): number {
  return Math.max(1 + (length % pieceBytesMax), length >> 12);
}

/** Lets streams end their writes: what they hold would pile up over cases. */
export const turnOfLoop = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Time on the processor so far: on a busy machine, only that is the parser's. */
export function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Parts of the time that reading in pieces may take: no router reads them all in one turn, but their sum must not be quadratic. */
const piecesShare = 1 / 4;

/**
 * Checks that a parser makes the same of bytes that come at once and in pieces.
 *
 * @returns The longest time in ms on the processor without a turn of the event loop.
 */
export function sameInPieces(
  bytes: Buffer,
  pieceBytes: number,
  read: (bytes: Buffer, pieceBytes: number) => unknown,
): number {
  const startMs = cpuMs();
  const whole = read(bytes, bytes.length || 1);
  const wholeMs = cpuMs() - startMs;
  const pieces = read(bytes, pieceBytes);
  const piecesMs = cpuMs() - startMs - wholeMs;
  check(whole === pieces, 'the same, however the bytes are split');
  return Math.max(wholeMs, piecesMs * piecesShare);
}

/** A result that no valid input explains. */
export class WrongResult extends Error {
  override readonly name = 'WrongResult';
}

export function check(holds: boolean, what: string): void {
  if (!holds) throw new WrongResult(`expected ${what}`);
}
