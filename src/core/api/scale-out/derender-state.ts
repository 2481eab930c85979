// The state of a streamed derender, which the client passes from one chunk to the next.
import {
  after,
  boolean,
  integer,
  integerAbove,
  list,
  notNull,
  object,
  type Parser,
  string,
} from '../openai/schema.ts';

/** Fields that the client passes on, with vLLM's names. */
export interface DerenderState {
  readonly prev_tokens: readonly string[];
  readonly prefix_offset: number;
  readonly read_offset: number;
  readonly role_sent: boolean;
  readonly logprob_context_token_ids: readonly number[];
  readonly logprob_text_offset: number;
  readonly output_token_ids: readonly number[];
  readonly output_chunk_lens: readonly number[];
  readonly tools_streamed: boolean;
  readonly last_tool_call_ids: readonly string[];
}

/** The state before the first chunk. */
export const firstDerenderState: DerenderState = {
  prev_tokens: [],
  prefix_offset: 0,
  read_offset: 0,
  role_sent: false,
  logprob_context_token_ids: [],
  logprob_text_offset: 0,
  output_token_ids: [],
  output_chunk_lens: [],
  tools_streamed: false,
  last_tool_call_ids: [],
};

/** vllm/entrypoints/scale_out/token_in_token_out/protocol.py, `_bound_prev_tokens`. */
const previousTokensMax = 1024;
/** From the same file: number of tokens needed to repair a character in log probabilities. */
const logprobContextMax = 4;

const fields = object({
  prev_tokens: after(notNull(list(string)), ({ length }) =>
    length > previousTokensMax
      ? `prev_tokens length (${length}) exceeds maximum (${previousTokensMax})`
      : undefined,
  ),
  prefix_offset: notNull(integer(0)),
  read_offset: notNull(integer(0)),
  role_sent: notNull(boolean),
  logprob_context_token_ids: notNull(list(notNull(integer()), { most: logprobContextMax })),
  logprob_text_offset: notNull(integer(0)),
  output_token_ids: notNull(list(notNull(integer()))),
  output_chunk_lens: notNull(list(notNull(integerAbove(0)))),
  tools_streamed: notNull(boolean),
  last_tool_call_ids: notNull(list(string)),
});

const checked = after(fields, ({ output_chunk_lens: lengths, output_token_ids: tokens }) => {
  const sum = (lengths ?? []).reduce((total, one) => total + one, 0);
  const count = tokens?.length ?? 0;
  if (sum === count) return undefined;
  return `output_chunk_lens must sum to len(output_token_ids) (got sum=${sum}, len(output_token_ids)=${count})`;
});

/** Omitted fields have the values of the first state. */
export const derenderStateField: Parser<DerenderState> = (value, loc, issues) => {
  const read = checked(value, loc, issues);
  if (read === undefined) return undefined;
  const given = Object.entries(read).filter(([, field]) => field !== undefined);
  return { ...firstDerenderState, ...Object.fromEntries(given) } as DerenderState;
};
