// Checks that a folder contains a LoRA adapter that vLLM would load; otherwise reports vLLM's
// error.
import { readFile, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { pythonRepr } from '../../../core/api/index.ts';
import { parsePythonJson } from '../base/python-json.ts';

export class AdapterFolderError extends Error {
  /** Whether nothing exists there; otherwise something is there that cannot be used. */
  readonly isMissing: boolean;

  constructor(message: string, isMissing = false) {
    super(message);
    this.isMissing = isMissing;
  }
}

type Config = Readonly<Record<string, unknown>>;

/** Fields that have no default in vLLM's PEFTHelper. */
const requiredFields = ['r', 'lora_alpha', 'target_modules'];
const weightFiles = ['adapter_model.safetensors', 'adapter_model.bin', 'adapter_model.pt'];

/**
 * Reads adapter_config.json and checks that the weights exist; the emulation does not use them.
 *
 * @throws {AdapterFolderError} If there is no adapter, or one that vLLM 0.32 refuses
 * (lora/peft_helper.py).
 */
export async function readAdapterFolder(path: string, maxRank: number): Promise<void> {
  const folder = path.startsWith('~') ? join(homedir(), path.slice(1)) : path;
  const config = parse(await readConfig(folder));
  const missing = requiredFields.filter((name) => !(name in config));
  if (missing.length > 0) {
    const names = missing.map(pythonRepr).join(', ');
    throw new AdapterFolderError(`Missing required configuration fields: {${names}}`);
  }
  const faults = [...rankFaults(config, maxRank)];
  if (faults.length > 0) throw new AdapterFolderError(faults.join(' '));
  const found = await Promise.all(weightFiles.map((name) => isFile(join(folder, name))));
  if (!found.includes(true)) throw new AdapterFolderError(`${folder} doesn't contain tensors`);
}

async function readConfig(folder: string): Promise<string> {
  const path = join(folder, 'adapter_config.json');
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new AdapterFolderError(`There is no ${path}`, true);
    if (code === 'ENOTDIR') {
      throw new AdapterFolderError(`[Errno 20] Not a directory: '${path}'`);
    }
    throw new AdapterFolderError(cause instanceof Error ? cause.message : String(cause));
  }
}

function parse(text: string): Config {
  let config: unknown;
  try {
    config = parsePythonJson(text);
  } catch (error) {
    throw new AdapterFolderError(error instanceof Error ? error.message : String(error));
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) {
    return config as Config;
  }
  throw new AdapterFolderError('adapter_config.json is not an object');
}

/** Yields everything that vLLM does not support, in its order. */
function* rankFaults(config: Config, maxRank: number): Generator<string> {
  const rank = Number(config['r']);
  if (!(rank > 0)) {
    yield `LoRA rank \`r\` must be a positive integer, got ${rank}.`;
    return;
  }
  const toSave = Array.isArray(config['modules_to_save']) ? config['modules_to_save'] : [];
  const unsupported = toSave.filter((name) => name !== 'classifier' && name !== 'score');
  if (unsupported.length > 0) {
    const names = unsupported.map((name) => pythonRepr(String(name))).join(', ');
    yield `vLLM only supports modules_to_save being either None or ["classifier", "score"] for classification models. Unsupported modules_to_save: [${names}]`;
  }
  if (config['use_dora']) yield 'vLLM does not yet support DoRA.';
  if (config['lora_bias']) yield 'vLLM does not support LoRA bias (lora_bias).';
  if (config['alora_invocation_tokens']) yield 'vLLM does not support Activated LoRA (aLoRA).';
  if (config['layer_replication']) yield 'vLLM does not support layer_replication.';
  if (config['use_bdlora']) yield 'vLLM does not support block-diagonal LoRA (BD-LoRA).';
  if (config['use_qalora']) yield 'vLLM does not support QALoRA.';
  const ranks = Object.values(Object(config['rank_pattern']) as Record<string, number>);
  const largest = Math.max(rank, ...ranks);
  if (largest > maxRank) {
    yield `LoRA rank ${largest} is greater than max_lora_rank ${maxRank}.`;
  }
  if ((config['bias'] ?? 'none') !== 'none') yield 'Adapter bias is not supported.';
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true;
}
