// Reads a ShareGPT file: the first question and the first answer of each conversation.
import { readFile } from 'node:fs/promises';
import { InputError, type Random, randomInteger } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import type { LoadRequest } from './request-body.ts';

/** Longest file that is read; the published one has 642 MB, which one string cannot hold. */
const fileBytesMax = 512 << 20;

/** vLLM's limits: a prompt and an answer of fewer tokens say little, longer ones would not fit everywhere. */
const limits = { tokensMin: 4, promptMax: 1024, totalMax: 2048 } as const;

/**
 * Returns `count` requests of the file in random order; a smaller file is repeated.
 *
 * @param options.outputTokens Replaces the lengths of the file's answers.
 * @throws {InputError} If the file cannot be read, or no conversation fits.
 * @see https://github.com/vllm-project/vllm/blob/main/vllm/benchmarks/datasets.py ShareGPTDataset
 */
export async function readShareGpt(options: {
  readonly path: string;
  readonly count: number;
  readonly outputTokens: number | undefined;
  readonly tokenizer: Tokenizer;
  readonly random: Random;
}): Promise<Omit<LoadRequest, 'arrivalSeconds'>[]> {
  const { path, count, outputTokens, tokenizer, random } = options;
  const conversations = shuffle(await conversationsIn(path), random);
  const found: Omit<LoadRequest, 'arrivalSeconds'>[] = [];
  for (const { question, answer } of conversations) {
    if (found.length === count) break;
    const promptTokens = tokenizer.encode(question).length;
    const tokens = outputTokens ?? tokenizer.encode(answer, { addSpecialTokens: false }).length;
    if (promptTokens < limits.tokensMin || promptTokens > limits.promptMax) continue;
    if (outputTokens === undefined && tokens < limits.tokensMin) continue;
    if (promptTokens + tokens > limits.totalMax) continue;
    found.push({ promptTokens, outputTokens: tokens, blockIds: [], text: question });
  }
  if (found.length === 0) {
    throw new InputError(
      `${path} has no conversation of ${limits.tokensMin} to ${limits.promptMax} prompt tokens and at most ${limits.totalMax} in all.`,
    );
  }
  const first = found.length;
  for (let i = first; i < count; i++) found.push(found[i % first] as (typeof found)[number]);
  return found;
}

interface FirstTurn {
  readonly question: string;
  readonly answer: string;
}

async function conversationsIn(path: string): Promise<FirstTurn[]> {
  let text: string;
  try {
    const bytes = await readFile(path);
    if (bytes.length > fileBytesMax) {
      throw new InputError(`${path} is larger than ${fileBytesMax >> 20} MiB; give a part of it.`);
    }
    text = bytes.toString('utf8');
  } catch (error) {
    if (error instanceof InputError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`Cannot read the dataset ${path}: ${reason}.`, { cause: error });
  }
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`${path} is not JSON: ${reason}.`, { cause: error });
  }
  if (!Array.isArray(list)) {
    throw new InputError(`${path} is not a ShareGPT file: it must be a list of conversations.`);
  }
  return list.flatMap((entry: { readonly conversations?: unknown } | null) => {
    const turns = entry?.conversations;
    const [question, answer] = Array.isArray(turns) ? turns.map(textOf) : [];
    return question === undefined || answer === undefined ? [] : [{ question, answer }];
  });
}

function textOf(turn: { readonly value?: unknown } | null): string | undefined {
  return typeof turn?.value === 'string' ? turn.value : undefined;
}

function shuffle<T>(values: readonly T[], random: Random): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = randomInteger(random, i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}
