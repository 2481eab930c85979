// The model of a plan: by its name in the catalogue, or by the config.json of a folder.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { findModel, type ModelSpec, modelFromConfig } from '../../core/engine/index.ts';
import { pathBeside } from '../../io/values/index.ts';

export interface LoadedModel {
  readonly model: ModelSpec;
  /** The folder, where it came from one. */
  readonly path: string | undefined;
}

/**
 * @param input File that names it: a folder may lie beside that.
 * @throws {InputError} If the name is not known and no folder with a config.json.
 */
export async function loadModel(name: string, input: string | undefined): Promise<LoadedModel> {
  const folders = [...(input === undefined ? [] : [pathBeside(input, name)]), name];
  const folder = folders.find((one) => existsSync(join(one, 'config.json')));
  if (folder === undefined) return { model: findModel(name), path: undefined };
  const file = join(folder, 'config.json');
  let config: unknown;
  try {
    config = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new InputError(`Cannot read ${file}: ${reason}.`, { cause: error });
  }
  return { model: modelFromConfig(name, config as Record<string, unknown>), path: folder };
}
