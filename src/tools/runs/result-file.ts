// Reads results that `vllm bench serve` has saved, as runs: one JSON object, or one per line from --append-result.
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { fileProblem } from '../../io/files/index.ts';
import type { SavedResponse, SavedRun } from './read-run.ts';

/** Longest file that is read. */
const fileBytesMax = 512 << 20;
/** Maximum number of results in one file. */
const resultsMax = 10_000;

type Fields = Readonly<Record<string, unknown>>;

/** Results of other programs, by keys that only they have. */
const others: readonly { readonly keys: readonly string[]; readonly name: string }[] = [
  { keys: ['total_output_tokens_retokenized'], name: 'SGLang’s bench_serving' },
  { keys: ['benchmarks', 'metadata'], name: 'guidellm' },
  { keys: ['benchmarks', 'args'], name: 'guidellm' },
  { keys: ['records', 'input_config'], name: 'GenAI-Perf or AIPerf' },
  { keys: ['load_summary'], name: 'inference-perf' },
  { keys: ['results', 'version', 'scenario'], name: 'llm-d-benchmark' },
];

/** Whether the keys are those of a result. */
function isResult(value: unknown): value is Fields {
  if (!isObject(value)) return false;
  const needed = ['duration', 'completed', 'request_throughput', 'total_input_tokens'];
  return needed.every((key) => typeof value[key] === 'number') && otherName(value) === undefined;
}

/**
 * Returns the results in a file, in its order.
 *
 * @returns Undefined if the file is not JSON, or JSON of no benchmark.
 * @throws {InputError} If it is the result of a benchmark that is not read, or cannot be read.
 */
export async function readResultFile(path: string): Promise<readonly SavedRun[] | undefined> {
  if (!(await beginsAsJson(path))) return undefined;
  const values = valuesIn(await textOf(path));
  if (values === undefined) return undefined;
  for (const value of values) {
    const name = isObject(value) ? otherName(value) : undefined;
    if (name !== undefined) {
      throw new InputError(
        `${path} is a result of ${name}, which is not read: give results of vllm bench serve (--save-result, with --save-detailed for a verdict), or runs of spillway bench serve --run-dir.`,
      );
    }
  }
  const results = values.filter(isResult);
  if (results.length === 0) return undefined;
  if (results.length > resultsMax) {
    throw new InputError(`${path} has more than ${resultsMax} results; give a part of it.`);
  }
  return results.map((result, index) =>
    runOf(result, results.length === 1 ? path : `${path}#${index + 1}`),
  );
}

/** Returns the results of all such files in a folder, whatever else is in it. */
export async function resultFilesIn(folder: string): Promise<readonly SavedRun[]> {
  const names = (await readdir(folder)).filter((name) => /\.jsonl?$/i.test(name)).sort();
  const found: SavedRun[] = [];
  for (const name of names) {
    const path = join(folder, name);
    if (!(await stat(path)).isFile()) continue;
    const runs = await readResultFile(path).catch((error: unknown) => {
      if (error instanceof InputError) return undefined;
      throw error;
    });
    found.push(...(runs ?? []));
  }
  return found;
}

function runOf(result: Fields, path: string): SavedRun {
  const { label } = result;
  return {
    path,
    // Ours has figures of its own beside vLLM's.
    command: 'spillway' in result ? 'bench serve' : 'vllm bench serve',
    arguments: loadArguments(result),
    label: typeof label === 'string' && label !== '' ? label : undefined,
    startedAt: startOf(result['date']),
    status: 0,
    result,
    environment: undefined,
    responses: responsesIn(result, path),
  };
}

/** The flags that say what was sent, as far as the result has them. */
function loadArguments(result: Fields): string[] {
  const flags = ['num_prompts', 'request_rate', 'burstiness', 'max_concurrency'];
  const more = ['ramp_up_strategy', 'ramp_up_start_rps', 'ramp_up_end_rps'];
  const given = [...flags, ...more].flatMap((key) => {
    const value = result[key];
    if (value === null || value === undefined) return [];
    return [`--${key.replaceAll('_', '-')}`, String(value)];
  });
  return ['vllm', 'bench', 'serve', ...given];
}

/** @example startOf('20260801-101010'); // 2026-08-01T10:10:10.000Z */
function startOf(date: unknown): string {
  const parts = /^(\d{4})(\d\d)(\d\d)-(\d\d)(\d\d)(\d\d)$/.exec(String(date));
  if (parts === null) return '';
  const [, year, month, day, hour, minute, second] = parts;
  return `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
}

/**
 * Returns the values per request. Those of --save-detailed have all latencies; without it, vLLM leaves only the end-to-end
 * times (`latencies`) in the file, and older versions leave nothing.
 */
function responsesIn(result: Fields, path: string): readonly SavedResponse[] | undefined {
  const numbers = (key: string) => numbersIn(result[key], `${path}: ${key}`);
  const [ttfts, latencies, starts] = [
    numbers('ttfts'),
    numbers('latencies'),
    numbers('start_times'),
  ];
  const [outputs, itls, errors] = [numbers('output_lens'), result['itls'], result['errors']];
  const count = ttfts?.length ?? latencies?.length ?? 0;
  if (count === 0) return undefined;
  const first = starts === undefined ? 0 : starts.reduce((a, b) => Math.min(a, b), Infinity);
  return Array.from({ length: count }, (_, index): SavedResponse => {
    const gaps: unknown = Array.isArray(itls) ? itls[index] : undefined;
    const gapSeconds = Array.isArray(gaps)
      ? gaps.reduce((sum: number, gap) => sum + (typeof gap === 'number' ? gap : 0), 0)
      : undefined;
    const ttft = ttfts?.[index];
    const e2e =
      latencies?.[index] ??
      (ttft === undefined || gapSeconds === undefined ? undefined : ttft + gapSeconds);
    const outputTokens = outputs?.[index] ?? 0;
    const said: unknown = Array.isArray(errors) ? errors[index] : '';
    // A failed request has 0 in each array.
    const isFailed = (typeof said === 'string' && said !== '') || !((ttft ?? e2e ?? 0) > 0);
    const at = (starts?.[index] ?? first + index) - first;
    if (isFailed) {
      const none = { ttftMs: undefined, tpotMs: undefined, e2eMs: undefined, outputTokens: 0 };
      return { at, due: at, ...none, error: 'failed' };
    }
    const rest = ttft === undefined || e2e === undefined ? undefined : e2e - ttft;
    return {
      ...{ at, due: at, outputTokens, error: undefined },
      ttftMs: inMs(ttft),
      tpotMs:
        rest === undefined || outputTokens < 2 ? undefined : (1000 * rest) / (outputTokens - 1),
      e2eMs: inMs(e2e),
    };
  });
}

function inMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : 1000 * seconds;
}

function numbersIn(value: unknown, where: string): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (Array.isArray(value) && value.every((one) => typeof one === 'number')) return value;
  throw new InputError(`${where} must be a list of numbers.`);
}

/** All values of a file: one, or one per line; undefined if it is not JSON. */
function valuesIn(text: string): readonly unknown[] | undefined {
  const whole = parsed(text);
  if (whole !== undefined) return Array.isArray(whole) ? whole : [whole];
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const values = lines.map(parsed);
  return values.includes(undefined) ? undefined : values;
}

/** @returns Undefined if it is not JSON. Python writes NaN and Infinity, which JSON does not have. */
function parsed(text: string): unknown {
  for (const attempt of [text, text.replace(/(?<=[:[,]\s*)(NaN|-?Infinity)\b/g, 'null')]) {
    try {
      return JSON.parse(attempt);
    } catch {
      // The next form, or none.
    }
  }
  return undefined;
}

async function beginsAsJson(path: string): Promise<boolean> {
  const file = await open(path).catch((error: unknown) => {
    throw new InputError(`Cannot read ${path}: ${fileProblem(error)}.`, { cause: error });
  });
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return /^\uFEFF?\s*[[{]/.test(buffer.toString('utf8', 0, bytesRead));
  } finally {
    await file.close();
  }
}

async function textOf(path: string): Promise<string> {
  if ((await stat(path)).size > fileBytesMax) {
    throw new InputError(`${path} is longer than ${fileBytesMax >> 20} MiB.`);
  }
  return (await readFile(path, 'utf8')).replace(/^\uFEFF/, '');
}

function otherName(value: Fields): string | undefined {
  return others.find(({ keys }) => keys.every((key) => key in value))?.name;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
