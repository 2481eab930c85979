// A workload file from disk, with the traces that its lengths are fitted to.
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  fitLengths,
  parseWorkload,
  type TracedLengths,
  type Workload,
} from '../../core/workload/index.ts';
import { loadTrace } from '../../io/traces/index.ts';

/** A workload file is a screen long. */
const bytesMax = 1 << 20;

/**
 * @param path Traces in it are named relative to it.
 * @param overrides `KEY=VALUE`, as with `--set`.
 * @throws {InputError} If a file is bad; the sentence names file, line and key.
 */
export async function readWorkload(
  path: string,
  overrides: readonly string[] = [],
): Promise<Workload> {
  const workload = parseWorkload(await textOf(path), path, overrides);
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(workload.settings)) {
    settings[key] = isTraced(value) ? await fitted(value, path) : value;
  }
  return { ...workload, settings };
}

async function fitted({ trace, of }: TracedLengths, workload: string) {
  const path = isAbsolute(trace) ? trace : join(dirname(workload), trace);
  const { requests } = await loadTrace(path);
  return fitLengths(
    requests.map(({ promptTokens, outputTokens }) =>
      of === 'prompt' ? promptTokens : outputTokens,
    ),
  );
}

function isTraced(value: unknown): value is TracedLengths {
  return typeof value === 'object' && value !== null && 'trace' in value;
}

async function textOf(path: string): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`Cannot read the workload ${path}: ${reason}.`, { cause });
  }
  if (bytes.length > bytesMax) {
    throw new InputError(`${path} is larger than ${bytesMax} bytes, the most for a workload file.`);
  }
  return new TextDecoder().decode(bytes);
}
