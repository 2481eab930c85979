// Writes the folder of a run. Events are written as they happen, so that a run that is killed keeps them.

import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { counted, InputError } from '../../core/base/index.ts';
import { latenciesOf, type RequestRecord } from '../../core/stats/index.ts';
import { fileProblem, makeFolder, writeOutput } from '../../io/files/index.ts';
import { cutEvents } from './cut-events.ts';

/** Layout of the folder; readers refuse others. */
export const runFormat = 1;

/** Events that a slow disk may have waiting, in bytes; more are dropped and counted. */
const waitingBytesMax = 64 << 20;

/** What a result on a full disk gets beyond its own size: the folder and the next file need room, too. */
const spareBytes = 64 * 1024;

/** Folders of one second that are tried before giving up. */
const namesMax = 100;

/** What is known when a run begins. */
export interface RunHeader {
  /** For example `bench serve`. */
  readonly command: string;
  /** Arguments of the command, without secrets. */
  readonly arguments: readonly string[];
  readonly label: string | undefined;
  readonly startedAt: Date;
  /** Version of Spillway. */
  readonly spillway: string;
}

/** The result of a run, when it has ended. */
export interface RunEnd {
  readonly status: number;
  readonly endedAt: Date;
  readonly result: Record<string, unknown>;
  readonly environment: object;
  /** Further files by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** The open folder of a run. */
export interface RunFolder {
  readonly path: string;
  /** Appends a line to events.jsonl. @param at Seconds since the start of the run. */
  event(at: number, event: string, fields?: Readonly<Record<string, unknown>>): void;
  /** The same for a request that has ended. */
  response(record: RequestRecord): void;
  /**
   * Writes the result and closes the folder. On a full disk, events give way to it.
   *
   * @returns What was lost; undefined if nothing was.
   */
  finish(end: RunEnd): Promise<string | undefined>;
  /** Closes the folder of a run that has no result, and removes it if nothing happened. */
  abandon(): Promise<void>;
}

/**
 * Creates a folder for a run in `parent`, named by its time, command and label.
 *
 * @throws {InputError} If it cannot be written.
 */
export async function createRunFolder(parent: string, header: RunHeader): Promise<RunFolder> {
  const refused = (error: unknown) => {
    throw new InputError(`Cannot write the run to ${parent}: ${fileProblem(error)}.`, {
      cause: error,
    });
  };
  const path = await newFolder(parent, header).catch(refused);
  try {
    await writeOutput(join(path, 'run.json'), 'run', jsonText(headerJson(header)));
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    return refused((error as Error).cause);
  }
  const events = createWriteStream(join(path, 'events.jsonl'), { flags: 'ax' });
  let writeError: Error | undefined;
  let isUsed = false;
  let dropped = 0;
  // A full disk must not end the run, nor lose its result; it is said at its end.
  events.on('error', (error) => {
    writeError = error;
  });
  const written = (error?: Error | null): void => {
    if (error) dropped++;
  };
  const event: RunFolder['event'] = (at, name, fields = {}) => {
    isUsed = true;
    if (writeError !== undefined || events.writableLength > waitingBytesMax) dropped++;
    else events.write(`${JSON.stringify({ at, event: name, ...fields })}\n`, written);
  };
  const closed = async (): Promise<void> => {
    events.end();
    if (writeError === undefined) await once(events, 'close').catch(() => {});
  };
  const write = async (name: string, text: () => string): Promise<void> => {
    const file = join(path, name);
    try {
      await writeOutput(file, name, text());
    } catch (error) {
      if (!isFull((error as Error).cause)) throw error;
      const bytes = Buffer.byteLength(text()) + spareBytes;
      dropped += await cutEvents(join(path, 'events.jsonl'), bytes).catch(() => 0);
      await writeOutput(file, name, text());
    }
  };
  return {
    path,
    event,
    response(record) {
      event(record.sentSeconds, 'response', responseFields(record));
    },
    async abandon() {
      await closed();
      if (!isUsed) await rm(path, { recursive: true, force: true });
    },
    async finish({ status, endedAt, result, environment, files = {} }) {
      await closed();
      await write('result.json', () => jsonText(result));
      await write('environment.json', () => jsonText(environment));
      const end = { ended_at: endedAt.toISOString(), status };
      // A folder whose run.json has a status is complete.
      const run = () => jsonText({ ...headerJson(header), ...end, dropped_events: dropped });
      await write('run.json', run);
      for (const [name, text] of Object.entries(files)) {
        await writeOutput(join(path, name), name, text);
      }
      if (dropped === 0) return undefined;
      const why = writeError ? fileProblem(writeError) : 'the disk was full, or too slow for them';
      return `${counted(dropped, 'event')} of the run: ${why}`;
    },
  };
}

async function newFolder(
  parent: string,
  { command, label, startedAt }: RunHeader,
): Promise<string> {
  await makeFolder(parent);
  const at = startedAt.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  const words = [at, command, label ?? ''].join(' ').trim();
  const name = words.replaceAll(/[^\w.-]+/g, '-').slice(0, 120);
  for (let number = 1; ; number++) {
    const path = join(parent, number === 1 ? name : `${name}-${number}`);
    try {
      await mkdir(path);
      return path;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || number >= namesMax) throw error;
    }
  }
}

function headerJson(header: RunHeader): Record<string, unknown> {
  return {
    format: runFormat,
    command: header.command,
    arguments: header.arguments,
    label: header.label ?? null,
    started_at: header.startedAt.toISOString(),
    spillway: header.spillway,
  };
}

function responseFields(record: RequestRecord): Record<string, unknown> {
  const { error, promptTokens, outputTokens, cachedTokens, engine, engineName } = record;
  const lag = { due: record.scheduledSeconds };
  if (error !== undefined) return { ...lag, error: error.kind, message: error.message };
  const { ttftSeconds, e2eSeconds, tpotSeconds } = latenciesOf(record);
  return {
    ...lag,
    ttft_ms: 1000 * ttftSeconds,
    tpot_ms: tpotSeconds === undefined ? null : 1000 * tpotSeconds,
    e2el_ms: 1000 * e2eSeconds,
    prompt_tokens: promptTokens,
    output_tokens: outputTokens,
    cached_tokens: cachedTokens ?? null,
    engine: engineName ?? engine ?? null,
  };
}

function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

function isFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');
}
