// Streams a trace file, gzipped or not, and keeps only the requested part in memory.
import { createReadStream } from 'node:fs';
import { stderr, stdin } from 'node:process';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { counted, InputError } from '../../core/base/index.ts';
import {
  type Trace,
  type TraceFormat,
  TraceReader,
  type TraceReaderOptions,
  type TraceRequest,
} from '../../core/traces/index.ts';
import { fileProblem } from '../files/index.ts';

/**
 * Maximum length of a line. No row of a known trace exceeds 2 KB; 126,195 tokens in 16-token blocks
 * need 60 KB.
 */
const lineBytesMax = 4 << 20;

/**
 * Maximum number of requests in memory: a day of heavy traffic. Many more with block ids do not
 * fit.
 */
const requestsKeptMax = 1_000_000;

/** Rows beyond the requested ones that are looked at, so that the unit of the timestamps does not depend on their number. */
const rowsAheadMax = 1000;

/** Notes that were printed, so that a trace that is read again does not repeat them; cleared when full. */
const notesMax = 1000;
const printed = new Set<string>();

/** A trace as stored in a file. */
export interface LoadedTrace extends Trace {
  readonly format: TraceFormat;
}

/** What part of a file is read, and how. */
export interface LoadTraceOptions extends Omit<TraceReaderOptions, 'file'> {
  /** Number of requests to skip at the start. */
  readonly skip?: number | undefined;
  /** Number of requests to keep. @default all */
  readonly requests?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Receives sentences on what was assumed or left out. @default prints each once on standard error */
  readonly onNote?: ((note: string) => void) | undefined;
}

/**
 * Loads a trace of any format that `TraceReader` supports. Stops reading after `requests` requests.
 *
 * @param path A file, plain or gzipped, or a pipe; `-` for standard input.
 * @returns Requests with the trace's own arrival times; `sliceTrace` sets their clock to 0.
 * @throws {InputError} If the file cannot be read, a row is invalid, or the trace exceeds the
 * maximum and `requests` is not set.
 */
export async function loadTrace(
  path: string,
  options: LoadTraceOptions = {},
): Promise<LoadedTrace> {
  const { skip = 0, requests: wanted, signal, onNote = noteOnce, ...known } = options;
  const file = path === '-' ? 'stdin' : path;
  const reader = new TraceReader({ ...known, file });
  const requests: TraceRequest[] = [];
  let seen = 0;
  let ahead = 0;
  reading: for await (const lines of linesOf(path, signal)) {
    for (const line of lines) {
      if (requests.length === wanted) {
        if (ahead++ >= rowsAheadMax || !reader.lookAt(line)) break reading;
        continue;
      }
      const request = reader.push(line);
      if (request === undefined) continue;
      if (requests.length >= requestsKeptMax) {
        throw new InputError(
          `${file}: the trace has more than ${requestsKeptMax} requests, the maximum kept in memory; limit the number with --requests, or shorten the file.`,
        );
      }
      if (seen++ >= skip) requests.push(request);
    }
  }
  if (requests.length === 0) {
    throw new InputError(
      seen === 0
        ? `${file}: the trace has no requests.`
        : `${file}: the trace has ${counted(seen, 'request')}; none is left after skipping ${skip}.`,
    );
  }
  const { requests: timed, notes } = reader.conclude(requests);
  notes.forEach(onNote);
  return { blockTokens: reader.blockTokens, format: reader.format, requests: timed };
}

/** Prints a sentence on standard error, unless it has been printed. */
export function noteOnce(note: string): void {
  if (printed.has(note)) return;
  if (printed.size >= notesMax) printed.clear();
  printed.add(note);
  stderr.write(`spillway: ${note}\n`);
}

/** The default of Node is 16 KiB at a time, each passed through another thread. */
const decompressedChunkBytes = 1 << 18;

/**
 * Yields the file's lines in batches as they arrive, decompressed if the file starts with gzip's
 * magic bytes.
 */
async function* linesOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<string[]> {
  try {
    const file: AsyncIterable<Buffer> = path === '-' ? stdin : createReadStream(path, { signal });
    const { first, all } = await peek(file);
    // `pipeline` ends both streams when one fails or the reader stops early.
    const gunzip = () => createGunzip({ chunkSize: decompressedChunkBytes });
    const bytes = isGzip(first) ? pipeline(all, gunzip(), () => {}) : all;
    yield* splitLines(bytes, path);
  } catch (error) {
    if (error instanceof InputError || !(error instanceof Error)) throw error;
    if (error.name === 'AbortError') throw error;
    throw new InputError(`Cannot read the trace ${path}: ${fileProblem(error)}.`, { cause: error });
  }
}

/** Returns the first bytes and a stream of all bytes: a pipe can be read only once. */
async function peek(
  bytes: AsyncIterable<Buffer>,
): Promise<{ readonly first: Buffer; readonly all: AsyncIterable<Buffer> }> {
  const chunks = bytes[Symbol.asyncIterator]();
  let first = Buffer.alloc(0);
  let isEnd = false;
  while (first.length < gzipMagic.length && !isEnd) {
    const { done, value } = await chunks.next();
    isEnd = done === true;
    if (!isEnd) first = Buffer.concat([first, value]);
  }
  const all = async function* () {
    yield first;
    if (!isEnd) yield* { [Symbol.asyncIterator]: () => chunks };
  };
  return { first, all: all() };
}

const gzipMagic = Buffer.from([0x1f, 0x8b]);

function isGzip(first: Buffer): boolean {
  return first.subarray(0, gzipMagic.length).equals(gzipMagic);
}

async function* splitLines(bytes: AsyncIterable<Buffer>, path: string): AsyncGenerator<string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytesMax) {
      throw new InputError(`${path}: a line is longer than ${lineBytesMax} bytes; is it a trace?`);
    }
    yield lines;
  }
  if (rest !== '') yield [rest];
}
