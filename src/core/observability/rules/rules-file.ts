// A rules file of Prometheus.
import { stringify } from 'yaml';
import { promqlMatcher } from '../../quoting/index.ts';
import type { AlertRule, RecordingRule, RuleGroup, RuleScope } from './rule.ts';

export interface RulesFileOptions {
  readonly scope: RuleScope;
  /** URL or path of the page with a section for each alert. */
  readonly runbooks: string;
  /** Added to the alerts. */
  readonly labels?: Readonly<Record<string, string>>;
}

/** Where `up` and our own configuration scrape: everything that their Prometheus has is one stack. */
export const plainScope: RuleScope = {
  engines: 'server=""',
  routers: '',
  engineJobs: 'job=~".*engine.*"',
  routerJobs: 'job=~".*router.*"',
};

/** The stack of one namespace of a cluster; the jobs are the Services of the chart. */
export function namespaceScope(namespace: string): RuleScope {
  const inNamespace = promqlMatcher('namespace', namespace);
  return {
    engines: `${inNamespace},server=""`,
    routers: inNamespace,
    engineJobs: `${inNamespace},job=~".*-engine-service"`,
    routerJobs: `${inNamespace},job=~".*-router-service"`,
  };
}

/** The groups as the value of `groups` in a rules file. */
export function ruleGroups(
  groups: readonly RuleGroup[],
  options: RulesFileOptions,
): readonly object[] {
  return groups.map(({ name, intervalSeconds, rules }) => ({
    name,
    ...(intervalSeconds !== undefined && { interval: `${intervalSeconds}s` }),
    rules: rules.map((rule) =>
      rule.kind === 'alert' ? alertEntry(rule, options) : recordingEntry(rule, options),
    ),
  }));
}

/** @param comment First line of the file. */
export function rulesFile(
  groups: readonly RuleGroup[],
  options: RulesFileOptions & { readonly comment: string },
): string {
  return `# ${options.comment}\n${yaml({ groups: ruleGroups(groups, options) })}`;
}

/** The anchor of an alert's section in the page of runbooks. */
export function runbookAnchor({ name }: Pick<AlertRule, 'name'>): string {
  return name.toLowerCase();
}

function alertEntry(rule: AlertRule, { scope, runbooks, labels = {} }: RulesFileOptions): object {
  const { name, expression, forSeconds, severity, unit, summary, description, dashboard } = rule;
  return {
    alert: name,
    expr: expression(scope),
    ...(forSeconds > 0 && { for: `${forSeconds}s` }),
    labels: { severity, ...labels },
    annotations: {
      ...{ summary, description, unit },
      runbook_url: `${runbooks}#${runbookAnchor(rule)}`,
      dashboard: `spillway-${dashboard}`,
    },
  };
}

function recordingEntry(rule: RecordingRule, { scope }: RulesFileOptions): object {
  const { name, expression, labels } = rule;
  return { record: name, expr: expression(scope), ...(labels && { labels }) };
}

/** Long expressions stay on one line. */
function yaml(value: unknown): string {
  return stringify(value, { lineWidth: 0 });
}
