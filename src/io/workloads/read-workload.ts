// Reads a workload file, and the traces to which its lengths are fitted.
import {
  fitLengths,
  parseWorkload,
  type TracedLengths,
  type Workload,
} from '../../core/workload/index.ts';
import { pathBeside } from '../files/index.ts';
import { loadTrace } from '../traces/index.ts';
import { type InputText, readInputText } from '../values/index.ts';

/**
 * @param source A path, or a text that has been read; traces in it are relative to it.
 * @param overrides `KEY=VALUE`, as with `--set`.
 * @throws {InputError} If a file is invalid; the message names file, line and key.
 */
export async function readWorkload(
  source: string | InputText,
  overrides: readonly string[] = [],
): Promise<Workload> {
  const { name, text } = typeof source === 'string' ? await readInputText(source) : source;
  const workload = parseWorkload(text, name, overrides);
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(workload.settings)) {
    settings[key] = isTraced(value) ? await fitted(value, name) : value;
  }
  return { ...workload, settings };
}

async function fitted({ trace, of }: TracedLengths, workload: string) {
  const { requests } = await loadTrace(pathBeside(workload, trace));
  return fitLengths(
    requests.map(({ promptTokens, outputTokens }) =>
      of === 'prompt' ? promptTokens : outputTokens,
    ),
  );
}

function isTraced(value: unknown): value is TracedLengths {
  return typeof value === 'object' && value !== null && 'trace' in value;
}
