// Asks for a plan's input on a terminal. Each question has a default and a reason; the answers become the
// input file.
import { createInterface } from 'node:readline/promises';
import { parse, stringify } from 'yaml';
import { planInputSchema } from '../core/plan/index.ts';
import { readDocument, ValuesError } from '../core/values/index.ts';

interface Question {
  readonly path: readonly [string, string];
  readonly text: string;
  readonly reason: string;
  readonly default: string | number | boolean;
}

/** Questions in the order of the file; the defaults describe a chat service of medium size. */
const questions: readonly Question[] = [
  {
    path: ['workload', 'promptTokens'],
    text: 'Mean prompt length in tokens',
    reason: 'below 1,000 tokens and at low concurrency, offload does not pay',
    default: 2000,
  },
  {
    path: ['workload', 'outputTokens'],
    text: 'Mean response length in tokens',
    reason: 'determines decode time and KV growth',
    default: 300,
  },
  {
    path: ['workload', 'concurrency'],
    text: 'Requests in flight at the peak',
    reason: 'determines how much KV cache is in use',
    default: 64,
  },
  {
    path: ['workload', 'prefixReuse'],
    text: 'What prompts share at their start (none, system-prompt, rag, multi-turn, agents)',
    reason: 'shared prefixes are computed once',
    default: 'system-prompt',
  },
  {
    path: ['workload', 'preemptionsPerMinute'],
    text: 'Preemptions per minute today',
    reason: 'a preempted prompt is recomputed',
    default: 0,
  },
  {
    path: ['fleet', 'engines'],
    text: 'Number of engines, or choose',
    reason: 'LMCache needs at least two',
    default: 'choose',
  },
  {
    path: ['fleet', 'gpu'],
    text: 'GPU, CPU, or choose',
    reason: 'determines speed, memory and price',
    default: 'H100-80GB',
  },
  {
    path: ['fleet', 'model'],
    text: 'Model, or a folder with its config.json',
    reason: 'determines the size of weights and KV cache',
    default: 'Qwen/Qwen3-8B',
  },
  {
    path: ['fleet', 'loraAdapters'],
    text: 'Number of LoRA adapters',
    reason: 'adapters share the base model',
    default: 0,
  },
  {
    path: ['operations', 'kubernetes'],
    text: 'Does the team run Kubernetes (true, false)',
    reason: 'the Helm chart needs it',
    default: true,
  },
  {
    path: ['operations', 'multiTenant'],
    text: 'Do several tenants share the fleet (true, false)',
    reason: 'shared templates mean shared KV cache',
    default: false,
  },
  {
    path: ['operations', 'hbmMonitoring'],
    text: 'Is HBM pressure monitored, or will it be (true, false)',
    reason: 'the first preemption should not be a surprise',
    default: true,
  },
  {
    path: ['operations', 'handRolled'],
    text: 'Does the team want to build its own stack (true, false)',
    reason: 'the Helm chart may already cover it',
    default: false,
  },
  {
    path: ['slo', 'ttftMs'],
    text: 'Objective for the time to first token, ms',
    reason: 'goodput counts the requests that meet it',
    default: 800,
  },
  {
    path: ['slo', 'tpotMs'],
    text: 'Objective for the time per output token, ms',
    reason: 'people read about one token in 50 ms',
    default: 40,
  },
];

export interface PlanAnswers {
  /** Text of the input file, YAML. */
  readonly text: string;
  /** Number of questions that were answered. */
  readonly count: number;
  /** Whether Ctrl-C or Ctrl-D ended the questions early. */
  readonly isInterrupted: boolean;
}

/** Asks all questions; an empty answer takes the default, and an invalid one is asked for again. */
export async function askPlanQuestions(): Promise<PlanAnswers> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  terminal.once('SIGINT', interrupt);
  // Ctrl-D, or a closed terminal.
  terminal.once('close', interrupt);
  const answers: Record<string, Record<string, unknown>> = {};
  let count = 0;
  try {
    for (const { path, text, reason, default: assumed } of questions) {
      const [section, key] = path;
      for (;;) {
        const prompt = `${text} (${reason}) [${assumed}]: `;
        const { signal } = interruption;
        const answer = (await terminal.question(prompt, { signal })).trim();
        const values = {
          ...answers[section],
          [key]: answer === '' ? assumed : answerValue(answer),
        };
        const problem = problemOf({ [section]: values });
        if (problem === undefined) {
          answers[section] = values;
          count++;
          break;
        }
        process.stderr.write(`${problem}.\n`);
      }
    }
  } catch (error) {
    if (!interruption.signal.aborted) throw error;
    // The cursor is still on the line of the question.
    process.stderr.write('\n');
  } finally {
    terminal.close();
  }
  return { text: stringify(answers), count, isInterrupted: count < questions.length };
}

/** Parses an answer as YAML; an answer that is not valid YAML is a text. */
function answerValue(answer: string): unknown {
  try {
    return parse(answer);
  } catch {
    return answer;
  }
}

function problemOf(answers: Readonly<Record<string, unknown>>): string | undefined {
  try {
    readDocument(planInputSchema, stringify(answers), 'answers');
    return undefined;
  } catch (error) {
    if (error instanceof ValuesError) return error.problems[0]?.sentence;
    throw error;
  }
}
