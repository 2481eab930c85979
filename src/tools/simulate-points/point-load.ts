// How the benchmark behind a row sends its requests, as far as the row's columns tell.

/** What differs between benchmarks. */
export interface PointLoad {
  /** Prompts that the clients send again and again; undefined: no two share a prefix. */
  readonly distinctPrompts: number | undefined;
  /**
   * Whether aiconfigurator measured the row: all prompts and all responses have the row's lengths, and
   * the clients of all groups with data-parallel attention are counted, not those of each group.
   */
  readonly isOwnRun: boolean;
  /** The engine's `--max-num-batched-tokens`; undefined: vLLM's default. */
  readonly maxNumBatchedTokens: number | undefined;
  /** Whether AIPerf measured the row, through the front end that aiconfigurator deploys. */
  readonly isAiperf: boolean;
}

type Cell = (...spellings: string[]) => string;

/**
 * Prompts in AIPerf's data set unless `--num-dataset-entries` is given. The script that aiconfigurator
 * writes beside its deployments does not give it, so its clients repeat 100 prompts, which vLLM's prefix
 * cache keeps.
 *
 * @see docs/models/engine-model.md, "Repeated prompts", for the sources.
 */
const aiperfPrompts = 100;

/**
 * Tokens that aiconfigurator's rules add to a prompt and to one token per client for the engine's token budget
 * (https://github.com/ai-dynamo/aiconfigurator/blob/71bb3d00e/src/aiconfigurator/generator/rule_plugin/vllm.rule).
 */
const budgetTokens = 1500;

interface PointLayout {
  /** What the row says itself. */
  readonly distinctPrompts: number | undefined;
  readonly clients: number;
  readonly promptTokens: number;
  /** Groups with data-parallel attention: each has a prefix cache of its own. */
  readonly groups: number;
  /** Whether the file has the column `attention_dp_size`. */
  readonly namesAttention: boolean;
}

/** Selects by the columns that aiconfigurator fills in for its own runs and for those of others. */
export function pointLoadOf(
  cell: Cell,
  { distinctPrompts, clients, promptTokens, groups, namesAttention }: PointLayout,
): PointLoad {
  const isOwnRun =
    namesAttention && cell('attention_dp_size') === '' && Number(cell('moe_tp_size')) >= 1;
  // Those of bf16 checkpoints name no precision. They do not repeat prompts.
  const isAiperf = isOwnRun && cell('precision') !== '';
  const prompts = distinctPrompts ?? (isAiperf ? aiperfPrompts : undefined);
  return {
    distinctPrompts: prompts === undefined ? undefined : prompts * groups,
    isOwnRun,
    maxNumBatchedTokens: isAiperf ? promptTokens + budgetTokens + clients : undefined,
    isAiperf,
  };
}
