// docs/reference/rules.md: every alert and every recorded series.
import {
  alertRules,
  plainScope,
  type RuleGroup,
  recordingRules,
  runbookAnchor,
} from '../src/core/observability/index.ts';

/** Grafana's names of units, in words. */
const unitWords: Readonly<Record<string, string>> = {
  percentunit: 'share, 0 to 1',
  s: 'seconds',
  reqps: 'requests/s',
  short: 'number',
  none: '0 or 1',
};

/** The page. */
export function rulesReference(): string {
  return `# Alerts and recorded series

Written by \`npm run docs\` from \`src/core/observability\`. The files are \`observability/rules/alerts.yaml\` and \`recordings.yaml\`;
the chart has the same rules for its namespace. What to do about an alert is in the [runbooks](../guide/alerts.md).

## Alerts

| alert | severity | after | value | fires when |
|---|---|---|---|---|
${rulesOf(alertRules)
  .flatMap((rule) =>
    rule.kind === 'alert'
      ? [
          `| [\`${rule.name}\`](../guide/alerts.md#${runbookAnchor(rule)}) | ${rule.severity} | ${rule.forSeconds === 0 ? 'at once' : `${rule.forSeconds} s`} | ${unitWords[rule.unit] ?? rule.unit} | ${code(rule.expression(plainScope))} |`,
        ]
      : [],
  )
  .join('\n')}

## Recorded series

| series | unit | meaning |
|---|---|---|
${rulesOf(recordingRules)
  .map((rule) =>
    rule.kind === 'recording'
      ? `| \`${rule.name}\` | ${unitWords[rule.unit] ?? rule.unit} | ${rule.description} |`
      : '',
  )
  .join('\n')}
`;
}

function rulesOf(groups: readonly RuleGroup[]) {
  return groups.flatMap(({ rules }) => rules);
}

/** PromQL in a cell of a table. */
function code(expression: string): string {
  return `\`${expression.replaceAll('|', '\\|')}\``;
}
