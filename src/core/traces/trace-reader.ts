// Reads a trace line by line, so that a file of any length can be cut while it is streamed.
import { counted, InputError } from '../base/index.ts';
import {
  type BlockFields,
  type BlocksRow,
  chooseTimeUnit,
  mooncakeFields,
  parseBlocksRow,
  parseObject,
  type TimeUnit,
} from './blocks-jsonl.ts';
import { azureRowParser, burstGptRowParser, csvCells, type RowParser } from './csv-rows.ts';
import {
  contentsOfColumns,
  contentsOfRow,
  expectedTraces,
  type FileContents,
  nameOfContents,
  type TraceFormat,
} from './file-fields.ts';
import type { Trace, TraceRequest } from './trace.ts';

/** Block sizes to try, largest first: Mooncake's 512, vLLM's 16, and sizes in between. */
const knownBlockTokens: readonly number[] = [512, 256, 128, 64, 32, 16];

/** Rows of CSV traces have no block ids: each prompt gets unique ids of Mooncake's block size. */
const blockTokensWithoutIds = 512;

/** Longest trace, in the unit of its file: 31 years of milliseconds. Far beyond, a step's time is lost in the digits of the clock. */
const spanMax = 1e12;

/** What is known about a trace before it is read. */
export interface TraceReaderOptions {
  /** Name of the file in messages. */
  readonly file: string;
  readonly blockTokens?: number | undefined;
  /** The size to choose where the rows allow several, or a size that is not among the known ones. */
  readonly likelyBlockTokens?: number | undefined;
  /** Unit of the timestamps of rows with block ids. @default by their fields, else by what is plausible */
  readonly timeUnit?: TimeUnit | undefined;
  /** Names of the fields of such rows. @default Mooncake's */
  readonly fields?: BlockFields | undefined;
}

/**
 * Parses the lines of a trace file in order and returns its requests. The fields of the first line determine the format;
 * the block size of a `blocks-jsonl` file is the one for which every row has ceil(input_length / size) ids.
 *
 * @example
 * const reader = new TraceReader({ file: 'trace.jsonl' });
 * const rows = lines.flatMap((line) => reader.push(line) ?? []);
 * const { requests, notes } = reader.conclude(rows);
 * reader.blockTokens; // 512
 */
export class TraceReader {
  readonly #file: string;
  readonly #timeUnit: TimeUnit | undefined;
  readonly #fields: BlockFields;
  #parseCsv: RowParser | undefined;
  #lineNumber = 0;
  #previous = Number.NEGATIVE_INFINITY;
  #begin: number | undefined;
  #format: TraceFormat | undefined;
  #blockTokens = knownBlockTokens;
  #leftOut = 0;
  #hasChatIds = false;
  #hasFractions = false;
  #timed = 0;
  #first: number | undefined;
  #last = 0;

  constructor(options: TraceReaderOptions) {
    const { file, blockTokens, likelyBlockTokens, timeUnit, fields = mooncakeFields } = options;
    this.#file = file;
    this.#timeUnit = timeUnit;
    this.#fields = fields;
    if (blockTokens !== undefined) this.#blockTokens = [blockTokens];
    else if (likelyBlockTokens !== undefined) {
      const others = knownBlockTokens.filter((size) => size !== likelyBlockTokens);
      this.#blockTokens = [likelyBlockTokens, ...others];
    }
  }

  /**
   * @param line One line without its end.
   * @returns The request, with its arrival in the unit of the file until `conclude`; undefined for a header, an empty
   *   line, or a request that failed.
   * @throws {InputError} If the line is not a row of the format; the message names file and line.
   */
  push(line: string): TraceRequest | undefined {
    this.#lineNumber++;
    const text = line.trim();
    if (text === '') return undefined;
    const where = `${this.#file}:${this.#lineNumber}`;
    if (this.#format === undefined) {
      this.#format = this.#recognise(text, where);
      if (this.#format !== 'blocks-jsonl') return undefined;
    }
    const request = this.#rowOf(text, where);
    if (request === undefined) {
      this.#leftOut++;
      return undefined;
    }
    this.#check(request, where);
    this.#observe(request);
    const { hasChatIds: _, ...rest } = request as BlocksRow;
    return rest;
  }

  /**
   * Takes a row into account that is not replayed, so that the unit of the timestamps does not depend on how many are.
   *
   * @returns Whether it was a row.
   */
  lookAt(line: string): boolean {
    if (this.#format !== 'blocks-jsonl') return false;
    try {
      const row = parseBlocksRow(parseObject(line, ''), '', this.#fields);
      if (row.arrivalSeconds < this.#previous) return false;
      this.#previous = row.arrivalSeconds;
      this.#observe(row);
      return true;
    } catch (error) {
      if (error instanceof InputError) return line.trim() === '';
      throw error;
    }
  }

  /** Returns the requests with arrivals in seconds, and sentences on what was assumed or left out. */
  conclude<R extends TraceRequest>(
    requests: readonly R[],
  ): { readonly requests: readonly R[]; readonly notes: readonly string[] } {
    const notes: string[] = [];
    if (this.#leftOut > 0) {
      notes.push(
        `${this.#file}: ${counted(this.#leftOut, 'row')} with 0 tokens ${this.#leftOut === 1 ? 'is' : 'are'} left out: requests that failed.`,
      );
    }
    if (this.#format !== 'blocks-jsonl') return { requests, notes };
    const { unit, note } = this.#unit();
    if (note !== undefined) notes.push(`${this.#file}: ${note}.`);
    if (unit === 's') return { requests, notes };
    const seconds = requests.map((request) => ({
      ...request,
      arrivalSeconds: request.arrivalSeconds / 1000,
    }));
    return { requests: seconds, notes };
  }

  get format(): TraceFormat {
    return this.#format ?? 'blocks-jsonl';
  }

  /** Tokens per block id: the first size that fits all rows so far. */
  get blockTokens(): number {
    return this.#blockTokens[0] ?? blockTokensWithoutIds;
  }

  #recognise(text: string, where: string): TraceFormat {
    const line = text.replace(/^\uFEFF/, '');
    const contents = this.#contentsOf(line, where);
    if (contents.kind !== 'trace') throw notTrace(contents, where);
    const { format } = contents;
    if (format !== 'blocks-jsonl') {
      const parserOf = format === 'azure-csv' ? azureRowParser : burstGptRowParser;
      this.#parseCsv = parserOf(csvCells(line), blockTokensWithoutIds);
      this.#blockTokens = [blockTokensWithoutIds];
    }
    return format;
  }

  #contentsOf(line: string, where: string): FileContents {
    if (line.startsWith('[')) {
      throw new InputError(
        `${where}: a list in JSON is not a trace; expected ${expectedTraces}. Conversations of ShareGPT have no arrival times: send them with bench serve --dataset-name sharegpt.`,
      );
    }
    if (!line.startsWith('{')) return contentsOfColumns(csvCells(line));
    const row = parseObject(line, where);
    const { inputLength, hashIds } = this.#fields;
    const isNamed = this.#fields !== mooncakeFields && (inputLength in row || hashIds in row);
    return isNamed ? { kind: 'trace', format: 'blocks-jsonl' } : contentsOfRow(row);
  }

  #rowOf(text: string, where: string): TraceRequest | BlocksRow | undefined {
    if (this.#parseCsv !== undefined) return this.#parseCsv(text, where);
    return parseBlocksRow(parseObject(text.replace(/^\uFEFF/, ''), where), where, this.#fields);
  }

  #observe(request: TraceRequest | BlocksRow): void {
    if ('hasChatIds' in request && request.hasChatIds) this.#hasChatIds = true;
    if (!Number.isInteger(request.arrivalSeconds)) this.#hasFractions = true;
    this.#first ??= request.arrivalSeconds;
    this.#last = request.arrivalSeconds;
    this.#timed++;
  }

  #unit(): { readonly unit: TimeUnit; readonly note: string | undefined } {
    if (this.#timeUnit !== undefined) return { unit: this.#timeUnit, note: undefined };
    return chooseTimeUnit({
      hasChatIds: this.#hasChatIds,
      hasFractions: this.#hasFractions,
      count: this.#timed,
      span: this.#last - (this.#first ?? 0),
    });
  }

  #check(request: TraceRequest, where: string): void {
    if (request.arrivalSeconds < this.#previous) {
      throw new InputError(
        `${where}: the timestamp goes back from ${this.#previous} to ${request.arrivalSeconds}; rows must be sorted by arrival.`,
      );
    }
    this.#begin ??= request.arrivalSeconds;
    if (request.arrivalSeconds - this.#begin > spanMax) {
      throw new InputError(
        `${where}: the timestamp is ${request.arrivalSeconds}, more than ${spanMax} after the first one, which is ${this.#begin}; a trace lasts 30 years at most.`,
      );
    }
    this.#previous = request.arrivalSeconds;
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
export function parseTrace(lines: Iterable<string>, options: TraceReaderOptions): Trace {
  const reader = new TraceReader(options);
  const rows: TraceRequest[] = [];
  for (const line of lines) {
    const request = reader.push(line);
    if (request !== undefined) rows.push(request);
  }
  if (rows.length === 0) throw new InputError(`${options.file}: the trace has no requests.`);
  return { blockTokens: reader.blockTokens, requests: reader.conclude(rows).requests };
}

function notTrace(contents: FileContents, where: string): InputError {
  const hint =
    contents.kind === 'texts'
      ? ` Texts are sent with bench serve --dataset-name ${contents.shape === 'conversations' ? 'sharegpt' : 'custom'}.`
      : '';
  return new InputError(
    `${where}: unknown trace format: found ${nameOfContents(contents)}; expected ${expectedTraces}.${hint}`,
  );
}
