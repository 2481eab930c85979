// Reads a trace file, gzipped or not, as a stream: no more of it is kept than asked for.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { InputError } from '../../core/base/index.ts';
import { type Trace, TraceReader, type TraceRequest } from '../../core/workload/index.ts';

/** No row of a known trace is longer than 2 KB; 126,195 tokens in 16-token blocks need 60 KB. */
const lineBytesMax = 4 << 20;

/** A day of heavy traffic; more does not fit in memory with its block ids. */
const requestsKeptMax = 1_000_000;

/**
 * Loads a trace of any format that `TraceReader` knows. Reading stops once `requests` are kept.
 *
 * @param options.skip Requests to leave out at the front.
 * @param options.requests Requests to keep; at most a million, which is also the default.
 * @param options.blockTokens Tokens per block id; recognised unless given.
 * @returns Requests with the trace's own arrival times; `sliceTrace` sets their clock to 0.
 * @throws {InputError} If the file cannot be read or a row is bad.
 */
export async function loadTrace(
  path: string,
  options: {
    readonly skip?: number | undefined;
    readonly requests?: number | undefined;
    readonly blockTokens?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<Trace> {
  const { skip = 0, requests: kept = requestsKeptMax, blockTokens, signal } = options;
  const keptMax = Math.min(kept, requestsKeptMax);
  const reader = new TraceReader({ file: path, blockTokens });
  const requests: TraceRequest[] = [];
  let seen = 0;
  for await (const line of linesOf(path, signal)) {
    const request = reader.push(line);
    if (request === undefined) continue;
    if (seen++ >= skip) requests.push(request);
    if (requests.length >= keptMax) break;
  }
  if (requests.length === 0) {
    throw new InputError(
      seen === 0
        ? `${path}: the trace has no requests.`
        : `${path}: the trace has ${seen} requests, none is left after skipping ${skip}.`,
    );
  }
  return { blockTokens: reader.blockTokens, requests };
}

/** The file's lines, decompressed if it starts with gzip's magic bytes. */
async function* linesOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<string> {
  try {
    const gzip = await isGzip(path);
    const file = createReadStream(path, { signal });
    // pipeline ends both streams when one fails or the reader stops early.
    const bytes = gzip ? pipeline(file, createGunzip(), () => {}) : file;
    yield* splitLines(bytes, path);
  } catch (error) {
    if (error instanceof InputError || !(error instanceof Error)) throw error;
    if (error.name === 'AbortError') throw error;
    throw new InputError(`Cannot read the trace ${path}: ${error.message}.`, { cause: error });
  }
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

async function* splitLines(bytes: AsyncIterable<Buffer>, path: string): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > lineBytesMax) {
      throw new InputError(`${path}: a line is longer than ${lineBytesMax} bytes; is it a trace?`);
    }
    yield* lines;
  }
  if (rest !== '') yield rest;
}
