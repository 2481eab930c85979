// The flags of `vllm bench serve` that have no effect here, and why: scripts that give them run unchanged.
import type { Command } from 'commander';
import { Option } from 'commander';

/** A flag without effect. */
interface VainFlag {
  readonly name: string;
  /** Undefined for a switch. */
  readonly value?: string;
  readonly why: string;
}

const media = 'prompts here are texts';
const audio = 'audio is not sent';
const files = 'datasets are local files';
const python = 'no Python code of a model is run';

/** In the order of vLLM's help. */
const vainFlags: readonly VainFlag[] = [
  { name: 'trust-remote-code', why: python },
  { name: 'no-stream', why: files },
  { name: 'enable-multimodal-chat', why: media },
  { name: 'custom-ensure-client-side-data', why: media },
  { name: 'blazedit-min-distance', value: 'x', why: 'this dataset is not read' },
  { name: 'blazedit-max-distance', value: 'x', why: 'this dataset is not read' },
  { name: 'asr-max-audio-len-sec', value: 's', why: audio },
  { name: 'asr-min-audio-len-sec', value: 's', why: audio },
  { name: 'random-batch-size', value: 'n', why: 'each request has one prompt' },
  { name: 'no-reranker', why: 'reranking is not measured' },
  { name: 'random-mm-base-items-per-request', value: 'n', why: media },
  { name: 'random-mm-num-mm-items-range-ratio', value: 'x', why: media },
  { name: 'random-mm-limit-mm-per-prompt', value: 'json', why: media },
  { name: 'random-mm-bucket-config', value: 'config', why: media },
  { name: 'hf-name', value: 'name', why: files },
  { name: 'bfcl-categories', value: 'list', why: 'this dataset is not read' },
  { name: 'speed-bench-dataset-subset', value: 'name', why: 'this dataset is not read' },
  { name: 'speed-bench-output-len', value: 'n', why: 'this dataset is not read' },
  { name: 'speed-bench-category', value: 'name', why: 'this dataset is not read' },
  { name: 'tokenizer-mode', value: 'mode', why: 'a tokenizer is read from its tokenizer.json' },
  { name: 'use-beam-search', why: 'vLLM does not send it either' },
  { name: 'probe-request-rate', value: 'n', why: 'no probes are sent beside the load' },
  { name: 'disable-tqdm', why: 'progress is shown on a terminal only' },
  { name: 'profile', why: 'the server’s profiler is not started' },
  { name: 'request-id-prefix', value: 'text', why: 'requests carry no id of the client' },
  { name: 'skip-tokenizer-init', why: 'lengths of prompts need a tokenizer' },
  { name: 'plot-timeline', why: '--html writes a page with charts' },
  { name: 'timeline-itl-thresholds', value: 'list', why: '--html writes a page with charts' },
  { name: 'plot-dataset-stats', why: '--html writes a page with charts' },
];

/** Adds the flags, which the help does not list. */
export function addVainFlags(command: Command): Command {
  for (const { name, value } of vainFlags) {
    const flags = value === undefined ? `--${name}` : `--${name} <${value}>`;
    command.addOption(new Option(flags).hideHelp());
  }
  return command;
}

/** Returns one line on the given flags that have no effect; undefined if there are none. */
export function vainFlagNote(command: Command): string | undefined {
  const given = vainFlags.filter(({ name }) => {
    const option = command.options.find(({ long }) => long === `--${name}`);
    return option !== undefined && command.getOptionValueSource(option.attributeName()) === 'cli';
  });
  if (given.length === 0) return undefined;
  const reasons = new Map<string, string[]>();
  for (const { name, why } of given) reasons.set(why, [...(reasons.get(why) ?? []), `--${name}`]);
  const parts = [...reasons].map(([why, names]) => `${names.join(', ')} (${why})`);
  return `without effect here: ${parts.join('; ')}.`;
}
