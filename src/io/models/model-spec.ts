// Finds the shape of a model by its catalogue name or from its config.json. No other module does
// either.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../core/base/index.ts';
import {
  findModel,
  type ModelSpec,
  modelFromConfig,
  modelOfSize,
  UnknownModelError,
} from '../../core/engine/index.ts';
import { fileProblem, pathBeside } from '../files/index.ts';

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
    throw new UnknownModelError(`There is no ${path} on this machine`, name);
  }
  const spec = { ...modelFromConfig(modelName(path), configOf(path)), given: name };
  // The modules of a sentence transformer; vLLM serves vectors of such a model, whatever its class.
  const isEmbedder = existsSync(join(dirname(path), 'modules.json'));
  return isEmbedder && spec.pooling === undefined ? { ...spec, pooling: { task: 'embed' } } : spec;
}

/**
 * Reads the model whose shape another one gets.
 *
 * @param text As for `readModelSpec`, or a size such as `8B` or `30B-A3B`.
 * @param name The model that gets the shape; its own name is kept.
 * @throws {InputError} If the text is neither.
 */
export function readStandIn(text: string, name: string): ModelSpec {
  const found =
    modelOfSize(text) ?? (/^[\d.]+[a-z]?$/i.test(text) ? noSize(text) : readModelSpec(text));
  return { ...found, name, source: `stands in for ${name}: ${found.source}` };
}

function noSize(text: string): never {
  throw new InputError(
    `"${text}" is no size of a model: write billions or millions of parameters, such as 8B, 0.5B or 500M, and 30B-A3B for a mixture of experts of which a token uses 3 billion.`,
  );
}

/** What stands in for a model; see `readStandIn`. */
export interface StandIn {
  /** Also for a known model. */
  readonly always?: string | undefined;
  /** Only for a model that is not known. */
  readonly unknown?: string | undefined;
}

/**
 * Reads the shape of an engine's model: that of its stand-in, if it has one.
 *
 * @param how What to do for an unknown model without a stand-in; see `UnknownModelError.withStandIn`.
 * @throws {InputError} If the name is unknown and there is no stand-in.
 */
export function readEngineModel(name: string, how: string, standIn: StandIn = {}): ModelSpec {
  if (standIn.always !== undefined) return readStandIn(standIn.always, name);
  try {
    return readModelSpec(name);
  } catch (error) {
    if (!(error instanceof UnknownModelError)) throw error;
    if (standIn.unknown !== undefined) return readStandIn(standIn.unknown, name);
    throw new InputError(`${error.withStandIn(how)}.`, { cause: error });
  }
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
