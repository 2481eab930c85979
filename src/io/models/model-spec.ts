// Finds the shape of a model by its catalogue name or from its config.json. No other module does
// either.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import { findModel, type ModelSpec, modelFromConfig } from '../../core/engine/index.ts';
import { fileProblem, pathBeside } from '../paths/index.ts';

/** Maximum size of a config.json; the longest published ones have a few hundred kilobytes. */
const fileBytesMax = 1 << 22;

/**
 * @param name A catalogue name, a folder with `config.json`, or such a file.
 * @param beside The file that refers to the model, if any; a relative path is resolved against it.
 * @throws {InputError} If the name is unknown, or the file does not describe a model.
 */
export function readModelSpec(name: string, beside?: string): ModelSpec {
  if (beside !== undefined) {
    const near = pathBeside(beside, name);
    if (existsSync(configPath(near))) return readModelSpec(near);
  }
  const path = configPath(name);
  if (!existsSync(path)) {
    if (!isModelPath(name)) return findModel(name);
    throw new InputError(
      `There is no ${path}: a model is a folder with config.json, a config.json file, or a catalogue name.`,
    );
  }
  return { ...modelFromConfig(modelName(path), configOf(path)), given: name };
}

function configPath(name: string): string {
  return name.endsWith('.json') ? name : join(name, 'config.json');
}

/** Returns whether the name can only be that of a folder or file. */
function isModelPath(name: string): boolean {
  return /^[./~]/.test(name) || name.endsWith('.json');
}

function configOf(path: string): Readonly<Record<string, unknown>> {
  let config: unknown;
  try {
    const { size } = statSync(path);
    if (size > fileBytesMax) throw new Error(`it is larger than ${fileBytesMax} bytes`);
    config = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new InputError(`Cannot read ${path}: ${fileProblem(cause)}.`, { cause });
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) {
    return config as Record<string, unknown>;
  }
  throw new InputError(
    `${path}: a config.json must be an object with hidden_size and similar keys.`,
  );
}

/**
 * The name of the folder or file; `models/Qwen3-8B/config.json` and `models/Qwen3-8B.json` are
 * Qwen3-8B.
 */
function modelName(path: string): string {
  const file = basename(path, '.json');
  return file === 'config' ? basename(dirname(path)) || file : file;
}
