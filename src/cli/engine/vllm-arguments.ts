// The forms in which `vllm serve` takes its flags, turned into the one that we define: short names,
// underscores, a file of flags, and one flag per field of a JSON value.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { InputError } from '../../core/base/index.ts';

/** vllm/engine/arg_utils.py of v0.32.0 */
const shortNames: Readonly<Record<string, string>> = {
  '-tp': 'tensor-parallel-size',
  '-pp': 'pipeline-parallel-size',
  '-dp': 'data-parallel-size',
  '-dcp': 'decode-context-parallel-size',
  '-pcp': 'prefill-context-parallel-size',
  '-dpn': 'data-parallel-rank',
  '-dpr': 'data-parallel-start-rank',
  '-dpl': 'data-parallel-size-local',
  '-dpa': 'data-parallel-address',
  '-dpp': 'data-parallel-rpc-port',
  '-dpb': 'data-parallel-backend',
  '-dph': 'data-parallel-hybrid-lb',
  '-dpe': 'data-parallel-external-lb',
  '-dpm': 'data-parallel-multi-port-external-lb',
  '-ep': 'enable-expert-parallel',
  '-n': 'nnodes',
  '-r': 'node-rank',
  '-q': 'quantization',
  '-asc': 'api-server-count',
  '-sc': 'speculative-config',
  '-dc': 'diffusion-config',
  '-cc': 'compilation-config',
  '-ac': 'attention-config',
  '-O': 'optimization-level',
};

/**
 * @returns The same flags, each as `--long-name value` or `--long-name=value`; JSON flags that came in
 *   pieces are whole, at the end.
 * @throws {InputError} If the file of `--config` cannot be read as a list of flags.
 * @example vllmArguments(['-tp=2', '--max_model_len', '8K']); // ['--tensor-parallel-size=2', '--max-model-len', '8K']
 * @see vllm/utils/argparse_utils.py, FlexibleArgumentParser.parse_args
 */
export function vllmArguments(args: readonly string[]): string[] {
  const plain = withConfigFile(args).map(longForm);
  const whole: string[] = [];
  const pieces = new Map<string, Record<string, unknown>>();
  for (let i = 0; i < plain.length; i++) {
    const arg = plain[i] as string;
    const dotted = /^--([a-z0-9-]+)\.([^=]+)(?:=([\s\S]*))?$/.exec(arg);
    if (!dotted) {
      whole.push(arg);
      continue;
    }
    const [, flag = '', path = '', inline] = dotted;
    const text = inline ?? plain[++i];
    if (text === undefined) throw new InputError(`${arg} needs a value.`);
    const fields = pieces.get(flag) ?? {};
    pieces.set(flag, fields);
    put(fields, path.split('.'), jsonOrText(text));
  }
  for (const [flag, fields] of pieces) whole.push(`--${flag}`, JSON.stringify(fields));
  return whole;
}

/** The flags of a file go first, so that those of the command line win. */
function withConfigFile(args: readonly string[]): readonly string[] {
  const at = args.findIndex((arg) => arg === '--config' || arg.startsWith('--config='));
  if (at === -1) return args;
  const isInline = args[at] !== '--config';
  const path = isInline ? (args[at] as string).slice('--config='.length) : args[at + 1];
  if (path === undefined || !/\.ya?ml$/.test(path)) {
    throw new InputError(
      `--config is ${path === undefined ? 'without a value' : `"${path}"`}; it must name a .yaml file of flags and their values.`,
    );
  }
  const rest = [...args.slice(0, at), ...args.slice(at + (isInline ? 1 : 2))];
  const isModelFirst = rest[0] !== undefined && !rest[0].startsWith('-');
  const own = flagsOf(path, isModelFirst);
  return isModelFirst ? [rest[0] as string, ...own, ...rest.slice(1)] : [...own, ...rest];
}

function flagsOf(path: string, hasModel: boolean): string[] {
  const file = readFlags(path);
  return Object.entries(file).flatMap(([key, value]) => {
    if (key === 'model' && hasModel) return [];
    if (value === null) return [];
    if (typeof value === 'boolean') return [value ? `--${key}` : `--no-${key}`];
    if (Array.isArray(value)) return value.length === 0 ? [] : [`--${key}`, ...value.map(String)];
    return [`--${key}`, typeof value === 'object' ? JSON.stringify(value) : String(value)];
  });
}

function readFlags(path: string): Readonly<Record<string, unknown>> {
  let file: unknown;
  try {
    // The parser of YAML is loaded only when there is some.
    const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
    file = yaml.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
    throw new InputError(`--config ${path} cannot be read: ${reason}`, { cause });
  }
  if (typeof file !== 'object' || file === null || Array.isArray(file)) {
    throw new InputError(`--config ${path} must be a list of flags, each "name: value".`);
  }
  return file as Readonly<Record<string, unknown>>;
}

function longForm(arg: string): string {
  if (arg.startsWith('--')) {
    // Names have dashes up to the first dot; what follows are fields.
    const end = /[.=]/.exec(arg)?.index ?? arg.length;
    return arg.slice(0, end).replaceAll('_', '-') + arg.slice(end);
  }
  if (!/^-[A-Za-z]/.test(arg)) return arg;
  const level = /^-O=?(\d)$/.exec(arg)?.[1];
  if (level !== undefined) return `--optimization-level=${level}`;
  const end = /[.=]/.exec(arg)?.index ?? arg.length;
  const name = shortNames[arg.slice(0, end)];
  return name === undefined ? arg : `--${name}${arg.slice(end)}`;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Sets a field; a name that ends in `+` adds to a list. */
function put(fields: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name = '', ...rest] = path;
  if (['__proto__', 'constructor', 'prototype'].includes(name)) {
    throw new InputError(`A flag cannot set the field "${name}".`);
  }
  if (rest.length > 0) {
    const inner = fields[name];
    const next = typeof inner === 'object' && inner !== null ? inner : {};
    fields[name] = next;
    put(next as Record<string, unknown>, rest, value);
  } else if (name.endsWith('+')) {
    const list = name.slice(0, -1);
    const before = fields[list];
    fields[list] = [...(Array.isArray(before) ? before : []), ...[value].flat()];
  } else {
    fields[name] = value;
  }
}
