// One line per complete response, with the columns of the benchmark of vLLM's production stack.
import { latenciesOf, type RequestRecord } from '../../core/stats/index.ts';

/** @see https://github.com/vllm-project/production-stack/blob/main/benchmarks/multi-round-qa/multi-round-qa.py summary */
const columns = [
  'prompt_tokens',
  'generation_tokens',
  'ttft',
  'generation_time',
  'user_id',
  'question_id',
  'launch_time',
  'finish_time',
] as const;

/**
 * Returns CSV with a header. Times are seconds: `ttft` since sending, `generation_time` since the first token, the others since
 * the start of the run. Without sessions, each request is its own user.
 */
export function requestsCsv(records: readonly RequestRecord[]): string {
  const users = new Map<string, { readonly id: number; questions: number }>();
  const lines = [columns.join(',')];
  records.forEach((record, index) => {
    if (record.error !== undefined) return;
    const session = record.session ?? `request ${index}`;
    const user = users.get(session) ?? { id: users.size + 1, questions: 0 };
    users.set(session, user);
    const { ttftSeconds, e2eSeconds } = latenciesOf(record);
    lines.push(
      [
        record.promptTokens,
        record.outputTokens,
        ttftSeconds,
        e2eSeconds - ttftSeconds,
        user.id,
        ++user.questions,
        record.sentSeconds,
        record.sentSeconds + e2eSeconds,
      ].join(','),
    );
  });
  return `${lines.join('\n')}\n`;
}
