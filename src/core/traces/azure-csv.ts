// Rows of the Azure LLM inference traces: arrivals and lengths without content or block ids.
import { InputError } from '../base/index.ts';
import type { TraceRequest } from './trace.ts';

const rowPattern =
  /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|\+00:00)?,(\d+),(\d+)$/;

/** Maximum number of tokens of a prompt or a response: more than the longest context of any model, ten million. */
const tokensMax = 16_777_216;

/**
 * Returns a parser of successive rows. The first row arrives at 0 s. The trace has no information about
 * shared prefixes, so each prompt gets unique block ids.
 *
 * @param blockTokens Tokens per block id.
 * @see https://github.com/Azure/AzurePublicDataset/blob/master/AzureLLMInferenceDataset2023.md
 */
export function azureRowParser(blockTokens: number): (line: string, where: string) => TraceRequest {
  let origin: { wholeSeconds: number; fraction: number } | undefined;
  let nextBlockId = 0;
  return (line, where) => {
    const fields = rowPattern.exec(line);
    if (fields === null) {
      throw new InputError(
        `${where}: expected "YYYY-MM-DD HH:MM:SS.fffffff,ContextTokens,GeneratedTokens", not "${line.slice(0, 80)}".`,
      );
    }
    const [year, month, day, hour, minute, second] = fields.slice(1, 7).map(Number);
    const wholeSeconds = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second) / 1000;
    const fraction = Number(fields[7] ?? 0);
    // Seconds since 1970 leave too few digits in a double for the trace's 100 ns, so whole seconds and
    // fractions are subtracted separately.
    origin ??= { wholeSeconds, fraction };
    const arrivalSeconds = wholeSeconds - origin.wholeSeconds + (fraction - origin.fraction);
    const promptTokens = Number(fields[8]);
    const outputTokens = Number(fields[9]);
    if (promptTokens < 1 || outputTokens < 1) {
      throw new InputError(`${where}: ContextTokens and GeneratedTokens must be at least 1.`);
    }
    if (promptTokens > tokensMax || outputTokens > tokensMax) {
      throw new InputError(
        `${where}: ContextTokens and GeneratedTokens must be at most ${tokensMax}.`,
      );
    }
    const blocks = Math.ceil(promptTokens / blockTokens);
    const blockIds = Array.from({ length: blocks }, () => nextBlockId++);
    return { arrivalSeconds, promptTokens, outputTokens, blockIds };
  };
}
