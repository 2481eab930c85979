// `spillway plan`: the decision on one page, and the files that implement it.
import { join, parse as parsePath } from 'node:path';
import { Command, Option } from 'commander';
import { counted, InputError, version } from '../../core/base/index.ts';
import { planInputJsonSchema } from '../../core/plan/index.ts';
import { shellWord } from '../../core/quoting/index.ts';
import type { TimeUnit } from '../../core/traces/index.ts';
import { checkOutputs, writeOutput, writeOutputs } from '../../io/files/index.ts';
import { interruptedStatus } from '../../io/signals/index.ts';
import {
  makePlan,
  type Plan,
  planHtml,
  planJson,
  planMarkdown,
  planSkill,
  planTerminal,
  planValues,
  prometheusRules,
} from '../../tools/plan/index.ts';
import { refuseArguments } from '../arguments/no-arguments.ts';
import { nonNegativeInteger } from '../arguments/numbers.ts';
import { addTraceUnitFlag, durationWithUnit } from '../arguments/quantities.ts';
import { deliver } from '../deliver.ts';
import { endedByCtrlC } from '../ended-by-ctrl-c.ts';
import { addHelpEnd } from '../help.ts';
import { addPlanFlags, planOverrides } from '../plan-flags.ts';
import { askPlanQuestions, type PlanAnswers } from '../plan-questions.ts';

/** Exit status of a plan that refuses something in `wants`. */
const refusedStatus = 3;

/** The command `plan`. */
export function planCommand(): Command {
  const command = new Command('plan')
    .description(
      'Decide stack, KV offload and size for a workload, on one page, with reasons and figures.',
    )
    .optionsGroup('Input:')
    .option(
      '-f, --file <file>',
      'input file, YAML or JSON, "-" for standard input; each key is also a flag',
    )
    .option('--trace <file>', 'measure prompts, prefix reuse and rate of a trace');
  addTraceUnitFlag(command)
    .option('--from-prometheus <url>', 'measure the running fleet')
    .option('--selector <matchers>', 'PromQL label matchers that select the fleet', '')
    .addOption(
      new Option('--window <duration>', 'length of the history to measure, such as 1h or 90m')
        .argParser(durationWithUnit)
        .default(durationWithUnit('1h'), '1h'),
    )
    .option('--profile <file>', 'step times of a measured engine: a file from spillway calibrate')
    .option('--seed <n>', 'seed of the simulation', nonNegativeInteger, 1)
    .optionsGroup('Output:')
    .option('--json', 'the plan as one JSON object')
    .option('--markdown', 'the page as Markdown (the default unless the output is a terminal)')
    .option('--html <file>', 'write the page as HTML with charts')
    .option('--values <file>', 'write the values file that implements the plan')
    .option('--rules <file>', 'write the Prometheus rules')
    .option('--thresholds-from <file>', 'values file whose spillway.thresholds the rules use')
    .option(
      '--save <file>',
      'file to which the answers to the questions are saved',
      'spillway-plan.yaml',
    )
    .option('--schema', 'print the JSON Schema of the input and exit')
    .option('--skill', 'print the rules as a skill file for coding agents and exit')
    .hook('preAction', refuseArguments)
    .allowExcessArguments()
    .exitOverride()
    .action(plan);
  return addHelpEnd(
    addPlanFlags(command),
    'Without -f, --trace, --from-prometheus or any key, plan asks questions on a terminal and saves the answers.',
    'Exit status: 0 the plan stands, 3 something in wants is refused (the closest accepted plan is printed), 2 bad input, 4 no usable response of Prometheus, 130 interrupted.',
  );
}

interface PlanFlags extends Readonly<Record<string, unknown>> {
  readonly file?: string;
  readonly trace?: string;
  readonly traceUnit?: TimeUnit;
  readonly fromPrometheus?: string;
  readonly selector: string;
  readonly window: number;
  readonly json?: true;
  readonly markdown?: true;
  readonly html?: string;
  readonly values?: string;
  readonly rules?: string;
  readonly thresholdsFrom?: string;
  readonly profile?: string;
  readonly save: string;
  readonly seed: number;
  readonly schema?: true;
  readonly skill?: true;
}

async function plan(flags: PlanFlags): Promise<void> {
  if (flags.schema) {
    process.stdout.write(`${JSON.stringify(planInputJsonSchema(), null, 2)}\n`);
    return;
  }
  if (flags.skill) {
    process.stdout.write(planSkill(version));
    return;
  }
  const page = { file: flags.html, what: 'page' };
  const values = { file: flags.values, what: 'values' };
  const rules = { file: flags.rules, what: 'rules' };
  await checkOutputs([page, values, rules]);
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
    const answers = await askPlanQuestions();
    if (answers.isInterrupted) {
      await keepAnswers(answers, flags.save);
      process.exitCode = interruptedStatus;
      return;
    }
    await writeOutput(flags.save, 'answers', answers.text);
    file = flags.save;
  }
  const bar = process.stderr.isTTY;
  const made = await endedByCtrlC(() =>
    makePlan({
      file,
      overrides,
      ...{ trace, traceUnit: flags.traceUnit },
      prometheus:
        fromPrometheus === undefined
          ? undefined
          : { url: fromPrometheus, selector: flags.selector, windowSeconds: flags.window },
      ...{ thresholdsFrom: flags.thresholdsFrom, profile: flags.profile },
      seed: flags.seed,
      onProgress: bar
        ? (share) => process.stderr.write(`\r\x1b[2Ksimulating ${Math.round(share * 100)} %`)
        : undefined,
    }),
  );
  if (bar) process.stderr.write('\r\x1b[2K');
  if (!made.decision.stands) process.exitCode = refusedStatus;
  await deliver({
    print: () => outputOf(made, flags, file !== flags.file),
    write: [
      () =>
        writeOutputs([
          { ...page, text: () => planHtml(made) },
          { ...values, text: () => planValues(made) },
          { ...rules, text: () => prometheusRules(made) },
        ]),
    ],
  });
}

/**
 * JSON, or the short text for people at a terminal, or the page.
 *
 * @param asked Whether the input is the file of the answers.
 */
function outputOf(made: Plan, flags: PlanFlags, asked: boolean): string {
  if (flags.json) return `${JSON.stringify(planJson(made))}\n`;
  const { isTTY, columns } = process.stdout;
  if (!isTTY || flags.markdown) return planMarkdown(made);
  // A terminal that does not know its width says 0.
  return planTerminal(made, { columns: columns || 80, next: nextCommand(made, flags, asked) });
}

/** With a values file, what carries it out; else the same command with one. */
function nextCommand({ decision }: Plan, { values, save }: PlanFlags, asked: boolean): string {
  if (values === undefined) {
    const answers = asked ? ['-f', save] : [];
    const given = [...process.argv.slice(2), ...answers].map(shellWord).join(' ');
    return `spillway ${given} --values plan.yaml`;
  }
  return decision.stack === 'production-stack'
    ? `spillway deploy -f ${shellWord(values)}`
    : `spillway up -f ${shellWord(values)}`;
}

/** Writes the answers of an interrupted plan to a file next to that of complete ones, and names it. */
async function keepAnswers({ text, count }: PlanAnswers, save: string): Promise<void> {
  if (count === 0) {
    process.stderr.write('spillway: interrupted; no answer was given.\n');
    return;
  }
  const { dir, name, ext } = parsePath(save);
  const file = join(dir, `${name}.partial${ext}`);
  await writeOutput(file, 'answers', text);
  const answers = `${counted(count, 'answer')} ${count === 1 ? 'is' : 'are'}`;
  process.stderr.write(
    `spillway: interrupted; ${answers} in ${file}: pass them with -f ${file}, and the others as flags.\n`,
  );
}
