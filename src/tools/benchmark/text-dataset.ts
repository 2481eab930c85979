// Requests with texts of a file: ShareGPT, vLLM's custom dataset, OpenAI messages, Spec-Bench, datasets of the hub.
import { InputError, type Random, randomInteger, shuffled } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import { datasetRows, type FolderPart } from './dataset-files.ts';
import { loadApis, type PromptApi } from './load-api.ts';
import type { LoadRequest } from './request-body.ts';
import { type TextMessage, type TextRow, textRows } from './text-rows.ts';

/** vLLM's limits for conversations: a prompt and an answer of fewer tokens say little, longer ones would not fit everywhere. */
const limits = { tokensMin: 4, promptMax: 1024, totalMax: 2048 } as const;

/** Length of a response for which neither flag nor file gives one: the default of --custom-output-len. */
const outputTokensDefault = 256;

/** How the rows of a file become requests. */
export interface TextDatasetOptions {
  readonly path: string;
  readonly part?: FolderPart | undefined;
  readonly count: number;
  /** Replaces the lengths of the file; `file`: each row must give one. */
  readonly outputTokens: number | 'file' | undefined;
  /** Only rows of this category, of Spec-Bench. */
  readonly category?: string | undefined;
  /** Keeps the order of the file. */
  readonly isInOrder?: boolean | undefined;
  /** Whether a file with too few rows is not repeated. */
  readonly isOnce?: boolean | undefined;
  /** Whether a text for /v1/completions is written without the chat template. */
  readonly skipsTemplate?: boolean | undefined;
  /** Variables of the chat template. */
  readonly templateArguments?: Readonly<Record<string, unknown>> | undefined;
  readonly api: PromptApi;
  readonly tokenizer: Tokenizer;
  readonly random: Random;
}

type TextRequest = Omit<LoadRequest, 'arrivalSeconds'>;

/**
 * Returns requests of the file in random order; a smaller file is repeated.
 *
 * @throws {InputError} If the file cannot be read, or no row of it fits.
 * @see https://github.com/vllm-project/vllm/blob/v0.33.0/vllm/benchmarks/datasets/datasets.py
 */
export async function readTextDataset(options: TextDatasetOptions): Promise<TextRequest[]> {
  const { path, count, random, category, isInOrder = false, isOnce = false } = options;
  const all = await datasetRows(path, options.part);
  const found =
    category === undefined
      ? all
      : all.filter(
          ({ row }) => (row as { readonly category?: unknown } | null)?.category === category,
        );
  if (found.length === 0 && all.length > 0) {
    throw new InputError(`${path} has no row of the category ${String(category)}.`);
  }
  const rows = textRows(found, path);
  const requests: TextRequest[] = [];
  for (const row of isInOrder ? rows : shuffled(rows, random)) {
    if (requests.length === count) break;
    const request = requestOf(row, options);
    if (request !== undefined) requests.push(request);
  }
  if (requests.length === 0) {
    throw new InputError(
      `${path} has no conversation of two turns with ${limits.tokensMin} to ${limits.promptMax} prompt tokens and at most ${limits.totalMax} in all.`,
    );
  }
  const first = requests.length;
  if (!isOnce) {
    for (let i = first; i < count; i++) requests.push(requests[i % first] as TextRequest);
  }
  return requests;
}

/** @returns Undefined for a conversation that vLLM leaves out, too. */
function requestOf(row: TextRow, options: TextDatasetOptions): TextRequest | undefined {
  const prompt = promptOf(row, options);
  const outputTokens = outputTokensOf(row, options);
  if (row.shape === 'conversations') {
    const { promptTokens } = prompt;
    if (promptTokens < limits.tokensMin || promptTokens > limits.promptMax) return undefined;
    const isGiven = typeof options.outputTokens === 'number';
    if (!isGiven && outputTokens < limits.tokensMin) return undefined;
    if (promptTokens + outputTokens > limits.totalMax) return undefined;
  }
  return { ...prompt, outputTokens: Math.max(1, outputTokens), blockIds: [] };
}

function promptOf(
  { shape, messages }: TextRow,
  { api, tokenizer, skipsTemplate = false, templateArguments }: TextDatasetOptions,
): Pick<LoadRequest, 'promptTokens' | 'text' | 'messages'> {
  const plain = () => messages.map(({ content }) => content).join('\n\n');
  // vLLM sends the questions of ShareGPT as they are, and the other texts with the chat template.
  if (shape === 'conversations') {
    const text = plain();
    return { text, promptTokens: tokenizer.encode(text).length };
  }
  const templated = () =>
    tokenizer.applyChatTemplate(
      messages.map((message) => ({ ...message })),
      { variables: templateArguments },
    );
  const encoded = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).length;
  if (loadApis[api].form === 'messages') {
    return { messages, promptTokens: encoded(templated()) };
  }
  if (skipsTemplate || api === 'embeddings') {
    const text = plain();
    return { text, promptTokens: tokenizer.encode(text).length };
  }
  const text = templated();
  return { text, promptTokens: encoded(text) };
}

function outputTokensOf(
  { answer, outputTokens }: TextRow,
  { outputTokens: given, tokenizer }: TextDatasetOptions,
): number {
  if (typeof given === 'number') return given;
  if (outputTokens !== undefined) return outputTokens;
  if (answer !== undefined) return tokenizer.encode(answer, { addSpecialTokens: false }).length;
  if (given === undefined) return outputTokensDefault;
  throw new InputError(
    '--custom-output-len -1 takes the lengths of the file, and a row has neither output_tokens nor an answer: give a number of tokens.',
  );
}

/** Lengths of the dataset of poem lines, as vLLM had it until 0.12. */
export interface SonnetOptions {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly prefixTokens: number;
}

/** Draws of one prompt until it is no longer than asked for; the last one is taken as it is. */
const drawsMax = 20;

const sonnetTask = 'Pick as many lines as you can from these poem lines:\n';

/**
 * Returns prompts of lines that are drawn from a text, after lines that all have in common.
 *
 * @throws {InputError} If the prompt is too short for its task, or for the prefix.
 * @see https://github.com/vllm-project/vllm/blob/v0.8.5/benchmarks/benchmark_dataset.py SonnetDataset
 */
export function sonnetDataset(
  lines: readonly string[],
  sonnet: SonnetOptions,
  options: Pick<TextDatasetOptions, 'count' | 'api' | 'tokenizer' | 'random'>,
): TextRequest[] {
  const { inputTokens, outputTokens, prefixTokens } = sonnet;
  const { count, api, tokenizer, random } = options;
  const messagesOf = (content: string): TextMessage[] => [{ role: 'user', content }];
  const templated = (content: string) => tokenizer.applyChatTemplate([{ role: 'user', content }]);
  const tokensOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false }).length;
  const mean = lines.reduce((sum, line) => sum + tokensOf(line), 0) / lines.length;
  const taskTokens = tokensOf(templated(sonnetTask));
  if (!(inputTokens > taskTokens)) {
    throw new InputError(
      `--sonnet-input-len must be more than the ${taskTokens} tokens of the task.`,
    );
  }
  const inputLines = Math.round((inputTokens - taskTokens) / mean);
  const prefixLines = Math.max(Math.round((prefixTokens - taskTokens) / mean), 0);
  if (inputLines <= prefixLines) {
    throw new InputError('--sonnet-prefix-len must be shorter than --sonnet-input-len.');
  }
  const draw = () => {
    const drawn = Array.from(
      { length: inputLines - prefixLines },
      () => lines[randomInteger(random, lines.length)] as string,
    );
    const content = `${sonnetTask}${[...lines.slice(0, prefixLines), ...drawn].join('')}`;
    return { content, text: templated(content) };
  };
  return Array.from({ length: count }, () => {
    let drawn = draw();
    for (let again = 1; again < drawsMax && tokensOf(drawn.text) > inputTokens; again++)
      drawn = draw();
    const { content, text } = drawn;
    const prompt = loadApis[api].form === 'messages' ? { messages: messagesOf(content) } : { text };
    return { ...prompt, promptTokens: tokensOf(text), outputTokens, blockIds: [] };
  });
}
