// Reads the folders of runs, also of those that were killed.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { latenciesOf, type RequestRecord } from '../../core/stats/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import { runFormat } from './run-folder.ts';

/** Longest file that is read. */
const fileBytesMax = 512 << 20;

/** One response of a run, or a failed request. */
export interface SavedResponse {
  /** When it was sent, seconds since the start of the run. */
  readonly at: number;
  /** When it was due, in the same seconds. */
  readonly due: number;
  readonly ttftMs: number | undefined;
  readonly tpotMs: number | undefined;
  readonly e2eMs: number | undefined;
  readonly outputTokens: number;
  readonly error: string | undefined;
}

/** Returns the same of records that are not saved. */
export function responsesOf(records: readonly RequestRecord[]): readonly SavedResponse[] {
  return records.map((record) => {
    const { sentSeconds: at, scheduledSeconds: due, outputTokens, error } = record;
    if (error !== undefined) {
      const none = { ttftMs: undefined, tpotMs: undefined, e2eMs: undefined };
      return { at, due, ...none, outputTokens: 0, error: error.kind };
    }
    const { ttftSeconds, tpotSeconds, e2eSeconds } = latenciesOf(record);
    return {
      at,
      due,
      ttftMs: 1000 * ttftSeconds,
      tpotMs: tpotSeconds === undefined ? undefined : 1000 * tpotSeconds,
      e2eMs: 1000 * e2eSeconds,
      outputTokens,
      error: undefined,
    };
  });
}

/** The folder of a run. */
export interface SavedRun {
  readonly path: string;
  readonly command: string;
  readonly arguments: readonly string[];
  readonly label: string | undefined;
  readonly startedAt: string;
  /** Exit status; undefined for a run that was killed. */
  readonly status: number | undefined;
  /** Undefined for a run that was killed. */
  readonly result: Readonly<Record<string, unknown>> | undefined;
  readonly environment: Readonly<Record<string, unknown>> | undefined;
  /** Responses of a result that is one file; undefined for a folder, or if the file has only summaries. */
  readonly responses?: readonly SavedResponse[] | undefined;
}

/**
 * Reads the runs in a folder, oldest first; other folders in it are ignored.
 *
 * @param onUnreadable Called for each run that is damaged or of another version, which is left out.
 * @throws {InputError} If the folder cannot be read.
 */
export async function listRuns(
  parent: string,
  onUnreadable: (problem: InputError) => void,
): Promise<readonly SavedRun[]> {
  let names: string[];
  try {
    names = await readdir(parent);
  } catch (error) {
    const hint =
      ' Benchmarks write their runs with --run-dir, such as spillway bench serve --run-dir runs.';
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new InputError(`Cannot read ${parent}: ${fileProblem(error)}.${isMissing ? hint : ''}`, {
      cause: error,
    });
  }
  const runs = await Promise.all(
    names.sort().map(async (name) => {
      const path = join(parent, name);
      const isRun = await stat(join(path, 'run.json')).then(
        (found) => found.isFile(),
        () => false,
      );
      if (!isRun) return undefined;
      return readRun(path).catch((error: unknown) => {
        if (!(error instanceof InputError)) throw error;
        onUnreadable(error);
        return undefined;
      });
    }),
  );
  return runs
    .filter((run) => run !== undefined)
    .sort((a, b) => a.startedAt.localeCompare(b.startedAt));
}

/** @throws {InputError} If it is no run, or one of another version. */
export async function readRun(path: string): Promise<SavedRun> {
  const header = await jsonIn(path, 'run.json');
  if (header === undefined) {
    throw new InputError(`${path} is not the folder of a run: it has no run.json.`);
  }
  if (header['format'] !== runFormat) {
    throw new InputError(
      `${join(path, 'run.json')} has format ${JSON.stringify(header['format'])}; this version reads format ${runFormat}.`,
    );
  }
  const { status, label } = header;
  return {
    path,
    command: String(header['command']),
    arguments: Array.isArray(header['arguments']) ? header['arguments'].map(String) : [],
    label: typeof label === 'string' ? label : undefined,
    startedAt: String(header['started_at']),
    status: typeof status === 'number' ? status : undefined,
    result: await jsonIn(path, 'result.json'),
    environment: await jsonIn(path, 'environment.json'),
  };
}

/** Reads the responses in events.jsonl; a last line that was cut off is left out. */
export async function readResponses(run: SavedRun): Promise<readonly SavedResponse[]> {
  if ('responses' in run) return run.responses ?? [];
  const { path } = run;
  const text = (await textIn(path, 'events.jsonl')) ?? '';
  return text.split('\n').flatMap((line) => {
    const event = objectOf(line);
    if (event?.['event'] !== 'response') return [];
    const number = (key: string) => {
      const value = event[key];
      return typeof value === 'number' ? value : undefined;
    };
    const error = event['error'];
    const at = number('at') ?? 0;
    return {
      at,
      due: number('due') ?? at,
      ttftMs: number('ttft_ms'),
      tpotMs: number('tpot_ms'),
      e2eMs: number('e2el_ms'),
      outputTokens: number('output_tokens') ?? 0,
      error: typeof error === 'string' ? error : undefined,
    };
  });
}

async function jsonIn(path: string, name: string): Promise<Record<string, unknown> | undefined> {
  const text = await textIn(path, name);
  if (text === undefined) return undefined;
  const value = objectOf(text);
  if (value === undefined) throw new InputError(`${join(path, name)} is not a JSON object.`);
  return value;
}

async function textIn(path: string, name: string): Promise<string | undefined> {
  const file = join(path, name);
  try {
    if ((await stat(file)).size > fileBytesMax) {
      throw new InputError(`${file} is longer than ${fileBytesMax >> 20} MiB.`);
    }
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    if (error instanceof InputError) throw error;
    throw new InputError(`Cannot read ${file}: ${fileProblem(error)}.`, { cause: error });
  }
}

function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
