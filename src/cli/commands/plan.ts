// `spillway plan`: the one-page decision, with the files that carry it out.
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { planInputJsonSchema } from '../../core/plan/index.ts';
import {
  makePlan,
  planHtml,
  planJson,
  planMarkdown,
  planValues,
  prometheusRules,
} from '../../tools/plan/index.ts';
import { count, positive } from '../number-arguments.ts';
import { addPlanFlags, planOverrides } from '../plan-flags.ts';
import { askPlanQuestions } from '../plan-questions.ts';
import { writeOutput } from '../write-output.ts';

/** Exit status of a plan for something else than what was wanted. */
const refusedStatus = 3;

/** The command `plan`. */
export function planCommand(): Command {
  const command = new Command('plan')
    .description(
      'Decide stack, KV offload and size for a workload, on one page, with the reasons in numbers.',
    )
    .option(
      '-f, --file <file>',
      'the input, YAML or JSON, "-" for standard input; each key is also a flag',
    )
    .option('--trace <file>', 'measure prompts, reuse and rate of a trace')
    .option('--from-prometheus <url>', 'measure the running fleet')
    .option('--selector <matchers>', 'PromQL label matchers of that fleet', '')
    .option('--window <hours>', 'hours of history that it measures', positive, 1)
    .option('--json', 'the plan as one JSON object')
    .option('--markdown', 'the page as Markdown (the default)')
    .option('--html <file>', 'write the page as HTML with pictures')
    .option('--values <file>', 'write the values file that carries the plan out')
    .option('--rules <file>', 'write the Prometheus rules')
    .option('--thresholds-from <file>', 'values file whose spillway.thresholds the rules take')
    .option('--profile <file>', 'step times of a measured engine: a file of spillway calibrate')
    .option('--save <file>', 'where the answers to the questions go', 'spillway-plan.yaml')
    .option('--seed <n>', 'of the simulation', count, 1)
    .option('--schema', 'print the JSON Schema of the input and end')
    .addHelpText(
      'after',
      '\nWithout -f, a trace, Prometheus or any key it asks on a terminal and saves the answers.\n' +
        'Exit status: 0 the plan stands, 3 what was wanted is refused (the nearest plan is printed), 2 bad input.\n',
    )
    .exitOverride()
    .action(plan);
  return addPlanFlags(command);
}

interface PlanFlags extends Readonly<Record<string, unknown>> {
  readonly file?: string;
  readonly trace?: string;
  readonly fromPrometheus?: string;
  readonly selector: string;
  readonly window: number;
  readonly json?: true;
  readonly html?: string;
  readonly values?: string;
  readonly rules?: string;
  readonly thresholdsFrom?: string;
  readonly profile?: string;
  readonly save: string;
  readonly seed: number;
  readonly schema?: true;
}

async function plan(flags: PlanFlags): Promise<void> {
  if (flags.schema) {
    process.stdout.write(`${JSON.stringify(planInputJsonSchema(), null, 2)}\n`);
    return;
  }
  const overrides = planOverrides(flags);
  const { trace, fromPrometheus } = flags;
  const isOpen = [flags.file, trace, fromPrometheus].every((one) => one === undefined);
  let { file } = flags;
  if (isOpen && overrides.length === 0) {
    if (!process.stdin.isTTY) {
      throw new InputError(
        'plan needs -f FILE, --trace FILE, --from-prometheus URL or keys as flags; see spillway plan --help.',
      );
    }
    await writeOutput(flags.save, 'answers', await askPlanQuestions());
    file = flags.save;
  }
  const bar = process.stderr.isTTY;
  const made = await makePlan({
    file,
    overrides,
    trace,
    prometheus:
      fromPrometheus === undefined
        ? undefined
        : { url: fromPrometheus, selector: flags.selector, windowSeconds: flags.window * 3600 },
    ...{ thresholdsFrom: flags.thresholdsFrom, profile: flags.profile },
    seed: flags.seed,
    onProgress: bar
      ? (share) => process.stderr.write(`\r\x1b[2Ksimulating ${Math.round(share * 100)} %`)
      : undefined,
  });
  if (bar) process.stderr.write('\r\x1b[2K');
  if (flags.html !== undefined) await writeOutput(flags.html, 'page', planHtml(made));
  if (flags.values !== undefined) await writeOutput(flags.values, 'values', planValues(made));
  if (flags.rules !== undefined)
    await writeOutput(flags.rules, 'rules', prometheusRules(made.thresholds));
  process.stdout.write(flags.json ? `${JSON.stringify(planJson(made))}\n` : planMarkdown(made));
  if (!made.decision.stands) process.exitCode = refusedStatus;
}
