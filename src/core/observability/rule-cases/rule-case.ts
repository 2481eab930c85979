// What an alert must do with given series, and the unit tests of promtool that are made of it.
import { stringify } from 'yaml';
import type { AlertRule, RuleGroup } from '../rules/rule.ts';
import { type RulesFileOptions, ruleGroups } from '../rules/rules-file.ts';

/** An alert before it fires, when it fires, and under conditions in which it must not. */
export interface AlertCase {
  readonly alert: string;
  /** What happens, as a sentence. */
  readonly name: string;
  /** Distance of the samples. @default '1m' */
  readonly interval?: string;
  /** Series to samples in promtool's notation: `1x3` is four times 1, `0+2x3` is 0 2 4 6, `_` is none. */
  readonly series: Readonly<Record<string, string>>;
  /** Times at which it is silent, as in `4m`. */
  readonly silentAt: readonly string[];
  /** Time to the labels of what fires then; no other labels may fire. */
  readonly firesAt?: Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>;
}

/** The value of a recorded series. */
export interface RecordingCase {
  readonly recording: string;
  readonly name: string;
  readonly interval?: string;
  readonly series: Readonly<Record<string, string>>;
  readonly at: string;
  /** Labels as in `{a="b"}` to value; empty if nothing is recorded. */
  readonly values: Readonly<Record<string, number>>;
}

/** Cases that are tested together. */
export interface RuleCases {
  /** Distance of the evaluations; 1m unless a case lasts a day. */
  readonly evaluation: '1m' | '10m';
  readonly cases: readonly (AlertCase | RecordingCase)[];
}

/** The text of a file for `promtool test rules`. */
export function promtoolTest(options: {
  readonly cases: RuleCases;
  /** All groups of the files, those first that others read. */
  readonly groups: readonly RuleGroup[];
  readonly rulesFile: RulesFileOptions;
  /** Relative to the folder of the test. */
  readonly ruleFiles: readonly string[];
}): string {
  const { cases, groups, rulesFile, ruleFiles } = options;
  const annotations = annotationsOf(groups, rulesFile);
  return stringify(
    {
      rule_files: ruleFiles,
      evaluation_interval: cases.evaluation,
      group_eval_order: groups.map(({ name }) => name),
      tests: cases.cases.map((one) => ({
        name: `${'alert' in one ? one.alert : one.recording}: ${one.name}`,
        interval: one.interval ?? '1m',
        input_series: Object.entries(one.series).map(([series, values]) => ({ series, values })),
        ...('alert' in one
          ? { alert_rule_test: alertTests(one, annotations, alertNamed(groups, one.alert)) }
          : { promql_expr_test: [recordingTest(one)] }),
      })),
    },
    { lineWidth: 0 },
  );
}

type Annotations = ReadonlyMap<string, Readonly<Record<string, string>>>;

function annotationsOf(groups: readonly RuleGroup[], options: RulesFileOptions): Annotations {
  const entries = ruleGroups(groups, options).flatMap(
    (group) => (group as { rules: { alert?: string; annotations?: object }[] }).rules,
  );
  return new Map(
    entries.flatMap(({ alert, annotations }) =>
      alert === undefined ? [] : [[alert, annotations as Record<string, string>]],
    ),
  );
}

function alertNamed(groups: readonly RuleGroup[], name: string): AlertRule {
  const rules = groups.flatMap((group) => group.rules);
  const found = rules.find((rule) => rule.kind === 'alert' && rule.name === name);
  if (found?.kind !== 'alert') throw new Error(`There is no alert ${name}.`);
  return found;
}

function alertTests(one: AlertCase, annotations: Annotations, rule: AlertRule): object[] {
  const test = (time: string, alerts: readonly object[]) => ({
    ...{ eval_time: time, alertname: one.alert, exp_alerts: alerts },
  });
  const silent = one.silentAt.map((time) => test(time, []));
  const firing = Object.entries(one.firesAt ?? {}).map(([time, alerts]) =>
    test(
      time,
      alerts.map((labels) => ({
        exp_labels: { severity: rule.severity, ...labels },
        exp_annotations: Object.fromEntries(
          Object.entries(annotations.get(one.alert) ?? {}).map(([key, text]) => [
            key,
            withLabels(text, labels),
          ]),
        ),
      })),
    ),
  );
  return [...silent, ...firing];
}

/** Fills in what Prometheus fills in. @throws {Error} If the alert would not have a label that its text names. */
function withLabels(text: string, labels: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, (_, name: string) => {
    const value = labels[name];
    if (value === undefined) throw new Error(`The alert has no label ${name} for: ${text}`);
    return value;
  });
}

function recordingTest({ recording, at, values }: RecordingCase): object {
  return {
    ...{ expr: recording, eval_time: at },
    exp_samples: Object.entries(values).map(([labels, value]) => ({
      labels: `${recording}${labels}`,
      value,
    })),
  };
}
