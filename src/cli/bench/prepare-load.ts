// What happens before a load of `bench` is sent: notes on flags without effect, the tokenizer, TLS.
import { existsSync } from 'node:fs';
import { env, stderr } from 'node:process';
import type { Command } from 'commander';
import { findTokenizerFolder, hubModel, huggingFaceFolder } from '../../io/tokenizers/index.ts';
import { addVainFlags, vainFlagNote } from './vllm-flags.ts';

/** Models whose tokenizer is the built-in one, Qwen3's. Later generations have larger vocabularies. */
const builtInTokenizers = /^Qwen\/Qwen3(-|$)/;

/** The hub's first models have no owner in their names. */
const ownerlessNames =
  /^(gpt2|distilgpt2|openai-gpt|ctrl|(distil)?(bert|roberta)-|xlm-|xlnet-|albert-|t5-|camembert-)/;

/** Adds vLLM's flags without effect, and what is done before the command's action. */
export function preparesLoad(command: Command): Command {
  addVainFlags(command).hook('preAction', (_, action) => {
    const note = vainFlagNote(action);
    if (note !== undefined) stderr.write(`spillway: ${note}\n`);
  });
  return preparesTarget(command);
}

/** Makes `--tokenizer` take names of the Hugging Face hub, and `--insecure` any certificate. */
export function preparesTarget(command: Command): Command {
  return command.hook('preAction', async (_, action) => {
    // Node reads it at each connection; client processes inherit it.
    if (action.getOptionValue('insecure') === true) env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
    const name: unknown = action.getOptionValue('tokenizer');
    if (typeof name !== 'string') return;
    const { tokenizer, note } = await tokenizerFor(name);
    action.setOptionValue('tokenizer', tokenizer);
    if (note !== undefined) stderr.write(`spillway: ${note}\n`);
  });
}

/** Returns the folder or package of a tokenizer, undefined for the built-in one. A name that is no tokenizer is kept, for its error. */
export async function tokenizerFor(
  name: string,
  environment: Readonly<Record<string, string | undefined>> = env,
): Promise<{ readonly tokenizer: string | undefined; readonly note?: string }> {
  if (findTokenizerFolder(name) !== undefined) return { tokenizer: name };
  if (builtInTokenizers.test(name)) return { tokenizer: undefined };
  const model = hubModel(name);
  // Another name of one word is rather a wrong one of a folder or a package.
  const isOfHub = model?.id.includes('/') === true || ownerlessNames.test(name);
  if (model === undefined || !isOfHub || existsSync(name)) return { tokenizer: name };
  const folder = await huggingFaceFolder(model, environment);
  if (folder !== undefined) return { tokenizer: folder };
  const note = `--tokenizer ${name} is not on this machine, neither in a folder nor in the cache of Hugging Face: lengths are counted with Qwen3's tokenizer.`;
  return { tokenizer: undefined, note };
}
