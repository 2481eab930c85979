// The shape of a model, by its name in the catalogue or from its folder.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { findModel, type ModelSpec, modelFromConfig } from '../../core/engine/index.ts';

/**
 * @param name A name of the catalogue, or a folder with `config.json`.
 * @throws {InputError} If the name is not known, or the file is not that of a model.
 */
export async function readModelSpec(name: string): Promise<ModelSpec> {
  const path = name.endsWith('.json') ? name : join(name, 'config.json');
  if (!existsSync(path)) {
    if (!/^[./~]/.test(name)) return findModel(name);
    throw new InputError(
      `There is no ${path}: --model takes a folder with config.json, or a name.`,
    );
  }
  try {
    return modelFromConfig(basename(name), JSON.parse(await readFile(path, 'utf8')));
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${path}: ${reason}`, { cause });
  }
}
