// The plan's questions on a terminal: each with a default and a reason; the answers are the file.
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

/** In the order of the file; the defaults are a chat service of medium size. */
const questions: readonly Question[] = [
  {
    path: ['workload', 'promptTokens'],
    text: 'Tokens of a prompt, on average',
    reason: 'below 1,000, with few requests at a time, no offload pays',
    default: 2000,
  },
  {
    path: ['workload', 'outputTokens'],
    text: 'Tokens of an answer, on average',
    reason: 'decode time and KV growth',
    default: 300,
  },
  {
    path: ['workload', 'concurrency'],
    text: 'Requests in flight at the peak',
    reason: 'how much KV is held at once',
    default: 64,
  },
  {
    path: ['workload', 'prefixReuse'],
    text: 'How prompts begin alike (none, system-prompt, rag, multi-turn, agents)',
    reason: 'what is shared need not be computed',
    default: 'system-prompt',
  },
  {
    path: ['workload', 'preemptionsPerMinute'],
    text: 'Preemptions a minute today',
    reason: 'a preempted prompt is computed again',
    default: 0,
  },
  {
    path: ['fleet', 'engines'],
    text: 'Engines, or choose',
    reason: 'LMCache shares between at least two',
    default: 'choose',
  },
  {
    path: ['fleet', 'gpu'],
    text: 'GPU, CPU, or choose',
    reason: 'speed, memory and price',
    default: 'H100-80GB',
  },
  {
    path: ['fleet', 'model'],
    text: 'Model, or a folder with its config.json',
    reason: 'weights and KV bytes per token',
    default: 'Qwen/Qwen3-8B',
  },
  {
    path: ['fleet', 'loraAdapters'],
    text: 'LoRA adapters',
    reason: 'they share the base model',
    default: 0,
  },
  {
    path: ['operations', 'kubernetes'],
    text: 'Does the team run Kubernetes (true, false)',
    reason: 'the chart needs it',
    default: true,
  },
  {
    path: ['operations', 'multiTenant'],
    text: 'Do several tenants share the fleet (true, false)',
    reason: 'shared templates are shared KV',
    default: false,
  },
  {
    path: ['operations', 'hbmMonitoring'],
    text: 'Is HBM pressure watched, or will it be (true, false)',
    reason: 'the first preemption must not be a surprise',
    default: true,
  },
  {
    path: ['operations', 'handRolled'],
    text: 'Does the team want to build its own stack (true, false)',
    reason: 'the chart may cover it already',
    default: false,
  },
  {
    path: ['slo', 'ttftMs'],
    text: 'Time to first token that is good enough, ms',
    reason: 'goodput counts the requests within it',
    default: 800,
  },
  {
    path: ['slo', 'tpotMs'],
    text: 'Time per output token that is good enough, ms',
    reason: 'reading speed is about 50',
    default: 40,
  },
];

/** Asks all of them; an empty answer takes the default, one that cannot be is asked for again. Ctrl-C ends the program, nothing is written. */
export async function askPlanQuestions(): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answers: Record<string, Record<string, unknown>> = {};
  try {
    for (const { path, text, reason, default: assumed } of questions) {
      const [section, key] = path;
      for (;;) {
        const answer = (await terminal.question(`${text} (${reason}) [${assumed}]: `)).trim();
        const values = {
          ...answers[section],
          [key]: answer === '' ? assumed : answerValue(answer),
        };
        const problem = problemOf({ [section]: values });
        if (problem === undefined) {
          answers[section] = values;
          break;
        }
        process.stderr.write(`${problem}.\n`);
      }
    }
  } finally {
    terminal.close();
  }
  return stringify(answers);
}

/** As YAML has it; what is none is a text. */
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
