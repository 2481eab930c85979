// Fields of both generation routes, read as vLLM's models declare them.
import { badRequest } from './api-error.ts';
import { pythonText } from './python-repr.ts';
import {
  anything,
  boolean,
  dictionary,
  float,
  floatsFrom,
  type Issue,
  integer,
  integer64,
  list,
  literal,
  notNull,
  object,
  type Parser,
  string,
  union,
} from './schema.ts';

/** `stream_options` of both generation routes. */
export const streamOptionsField = object({
  include_usage: boolean,
  continuous_usage_stats: boolean,
});

/** vLLM's VLLM_MAX_STOP_STRINGS. */
const stopStringsMax = 4;

export const stopField = union(string, list(string, { most: stopStringsMax }));

/** Null counts as 0. */
export const topLogprobsField: Parser<number> = notNull((value, loc, issues) =>
  value === null ? 0 : integer()(value, loc, issues),
);

/** An integer, or -1 for no limit, which counts as unset. */
export const thinkingBudgetField: Parser<number | null> = (value) => {
  if (Number.isInteger(value) && (value as number) >= -1 && (value as number) < floatsFrom) {
    return value === -1 ? null : (value as number);
  }
  throw badRequest(
    '`thinking_token_budget` must be a non-negative integer or -1 for unlimited.',
    'thinking_token_budget',
    pythonText(value),
  );
};

/** Sampling parameters up to the truncation side, in the order of both models. */
export const samplingFieldsOfBoth = {
  use_beam_search: notNull(boolean),
  top_k: integer(),
  min_p: float,
  repetition_penalty: float,
  watermarking: boolean,
  length_penalty: notNull(float),
  stop_token_ids: list(integer()),
  include_stop_str_in_output: notNull(boolean),
  ignore_eos: notNull(boolean),
  min_tokens: notNull(integer()),
  skip_special_tokens: notNull(boolean),
  spaces_between_special_tokens: notNull(boolean),
  truncate_prompt_tokens: atLeast(-1, integer64),
  truncation_side: literal('left', 'right'),
} as const;

/** The fields after the prompt's own. */
export const requestFieldsOfBoth = {
  priority: notNull(integer64),
  request_id: notNull(string),
  session_id: string,
  return_tokens_as_token_ids: boolean,
  return_token_ids: boolean,
  routed_experts_prompt_start: notNull(integer(0)),
  return_token_offsets: boolean,
} as const;

const item = union(string, integer(), float);

export const transferFieldsOfBoth = {
  mm_payload: notNull(literal('tensors', 'none')),
  return_mm_kwargs: boolean,
  cache_salt: string,
  kv_transfer_params: dictionary(anything),
  ec_transfer_params: dictionary(anything),
  vllm_xargs: dictionary<unknown>(union(string, integer(), float, list(item))),
  repetition_detection: repetitionField,
} as const;

/** `stream_interval` of both generation routes. */
export const streamIntervalField = integer(1);

interface RepetitionDetection {
  readonly max_pattern_size: number;
  readonly min_pattern_size: number;
  readonly min_count: number;
}

const repetitionSizes = object({
  max_pattern_size: notNull(integer()),
  min_pattern_size: notNull(integer()),
  min_count: notNull(integer()),
});

/**
 * vLLM's RepetitionDetectionParams, which is checked as soon as it is read; an omitted size is 0.
 */
export function repetitionField(
  value: unknown,
  loc: string,
  issues: Issue[],
): RepetitionDetection | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    const msg = 'Input should be a dictionary or an instance of RepetitionDetectionParams';
    const ctx = "{'class_name': 'RepetitionDetectionParams'}";
    issues.push({ type: 'dataclass_type', loc, msg, input: value, ctx });
    return undefined;
  }
  const own: Issue[] = [];
  const read = repetitionSizes(value, loc, own);
  for (const issue of own) issues.push(issue);
  if (read === undefined || own.length > 0) return undefined;
  const sizes = {
    max_pattern_size: read.max_pattern_size ?? 0,
    min_pattern_size: read.min_pattern_size ?? 0,
    min_count: read.min_count ?? 0,
  };
  const { max_pattern_size: most, min_pattern_size: least } = sizes;
  if (most < 0 || least < 0 || least > most) {
    throw badRequest(
      'max_pattern_size, min_pattern_size must be >=0, with min_pattern_size <= max_pattern_size. Set both to 0 to disable repetitive pattern detection.',
    );
  }
  if (most > 0 && sizes.min_count < 2) {
    throw badRequest(
      'min_count must be >= 2 to detect repetitive patterns in engine output. If you do not wish to detect repetitive patterns, set max_pattern_size to 0.',
    );
  }
  return sizes;
}

function atLeast(least: number, parser: Parser<number>): Parser<number> {
  return (value, loc, issues) => {
    const number = parser(value, loc, issues);
    if (number === undefined || number >= least) return number;
    const msg = `Input should be greater than or equal to ${least}`;
    issues.push({ type: 'greater_than_equal', loc, msg, input: value, ctx: `{'ge': ${least}}` });
    return undefined;
  };
}
