// Reads a trace line by line, so that a file of any length can be cut while it is streamed.
import { InputError } from '../base/index.ts';
import { azureRowParser } from './azure-csv.ts';
import { parseBlocksRow } from './blocks-jsonl.ts';
import type { Trace, TraceRequest } from './trace.ts';

/**
 * `blocks-jsonl`: one JSON object per line with `timestamp` (ms), `input_length`, `output_length`
 * and `hash_ids`, as Mooncake publishes them (512-token blocks) and LLMServingSim (16-token ones).
 * `azure-csv`: `TIMESTAMP,ContextTokens,GeneratedTokens`, without block ids.
 */
export type TraceFormat = 'blocks-jsonl' | 'azure-csv';

/** Block sizes to try, largest first: Mooncake's 512, vLLM's 16, and sizes in between. */
const knownBlockTokens: readonly number[] = [512, 256, 128, 64, 32, 16];

/** Azure's rows have no block ids: each prompt gets unique ids of Mooncake's block size. */
const azureBlockTokens = 512;

/**
 * Parses the lines of a trace file in order and returns its requests.
 * The first line determines the format; the block size of a `blocks-jsonl` file is the one
 * for which every row has ceil(input_length / size) ids.
 *
 * @example
 * const reader = new TraceReader({ file: 'trace.jsonl' });
 * for (const line of lines) { const request = reader.push(line); … }
 * reader.blockTokens; // 512
 */
export class TraceReader {
  readonly #file: string;
  #parse: ((line: string, where: string) => TraceRequest) | undefined;
  #lineNumber = 0;
  #previousSeconds = Number.NEGATIVE_INFINITY;
  #format: TraceFormat = 'blocks-jsonl';
  #blockTokens = knownBlockTokens;

  /**
   * @param options.file Name of the file in error messages.
   * @param options.likelyBlockTokens The size to choose where the rows allow several, or a size that is not
   *   among the known ones.
   */
  constructor(options: {
    readonly file: string;
    readonly blockTokens?: number | undefined;
    readonly likelyBlockTokens?: number | undefined;
  }) {
    const { file, blockTokens, likelyBlockTokens } = options;
    this.#file = file;
    if (blockTokens !== undefined) this.#blockTokens = [blockTokens];
    else if (likelyBlockTokens !== undefined) {
      const others = knownBlockTokens.filter((size) => size !== likelyBlockTokens);
      this.#blockTokens = [likelyBlockTokens, ...others];
    }
  }

  /**
   * @param line One line without its end.
   * @returns The request, or undefined for a header or an empty line.
   * @throws {InputError} If the line is not a row of the format; the message names file and line.
   */
  push(line: string): TraceRequest | undefined {
    this.#lineNumber++;
    const text = line.trim();
    if (text === '') return undefined;
    const where = `${this.#file}:${this.#lineNumber}`;
    if (this.#parse === undefined) {
      this.#format = formatOf(text, where);
      if (this.#format === 'azure-csv') {
        this.#parse = azureRowParser(azureBlockTokens);
        this.#blockTokens = [azureBlockTokens];
        return undefined;
      }
      this.#parse = parseBlocksRow;
    }
    const request = this.#parse(text, where);
    this.#check(request, where);
    return request;
  }

  get format(): TraceFormat {
    return this.#format;
  }

  /** Tokens per block id: the first size that fits all rows so far. */
  get blockTokens(): number {
    return this.#blockTokens[0] ?? azureBlockTokens;
  }

  #check(request: TraceRequest, where: string): void {
    if (request.arrivalSeconds < this.#previousSeconds) {
      throw new InputError(
        `${where}: the timestamp goes back by ${(this.#previousSeconds - request.arrivalSeconds).toFixed(3)} s; rows must be sorted by arrival.`,
      );
    }
    this.#previousSeconds = request.arrivalSeconds;
    const fitting = this.#blockTokens.filter(
      (size) => Math.ceil(request.promptTokens / size) === request.blockIds.length,
    );
    if (fitting.length === 0) {
      throw new InputError(
        `${where}: ${request.blockIds.length} hash_ids do not fit input_length ${request.promptTokens} with blocks of ${this.#blockTokens.join(' or ')} tokens; one id per block is expected, the last block may be partial.`,
      );
    }
    this.#blockTokens = fitting;
  }
}

/**
 * Reads a whole trace that is already in memory.
 *
 * @throws {InputError} If a row is invalid, or there is none.
 */
export function parseTrace(
  lines: Iterable<string>,
  options: { readonly file: string; readonly blockTokens?: number | undefined },
): Trace {
  const reader = new TraceReader(options);
  const requests: TraceRequest[] = [];
  for (const line of lines) {
    const request = reader.push(line);
    if (request !== undefined) requests.push(request);
  }
  if (requests.length === 0) throw new InputError(`${options.file}: the trace has no requests.`);
  return { blockTokens: reader.blockTokens, requests };
}

function formatOf(firstLine: string, where: string): TraceFormat {
  if (firstLine.startsWith('{')) return 'blocks-jsonl';
  if (/^\uFEFF?TIMESTAMP,ContextTokens,GeneratedTokens$/i.test(firstLine)) return 'azure-csv';
  throw new InputError(
    `${where}: unknown trace format; expected JSON lines with timestamp, input_length, output_length and hash_ids, or CSV headed TIMESTAMP,ContextTokens,GeneratedTokens.`,
  );
}
