// The files of the rules: for every Prometheus, for the chart, and their unit tests for promtool.
import { stringify } from 'yaml';
import {
  alertRules,
  namespaceScope,
  plainScope,
  promtoolTest,
  type RulesFileOptions,
  recordingRules,
  ruleCases,
  ruleGroups,
  rulesFile,
} from '../src/core/observability/index.ts';

const runbooks = 'docs/guide/alerts.md';
const plain: RulesFileOptions = { scope: plainScope, runbooks };
/** The chart's template replaces both words. */
const inChart: RulesFileOptions = { scope: namespaceScope('NAMESPACE'), runbooks: 'RUNBOOKS' };

const files = { recordings: recordingRules, alerts: alertRules };

/** Each file, and the function that makes its text. */
export const ruleFiles: Readonly<Record<string, () => string>> = Object.fromEntries([
  ...Object.entries(files).flatMap(([name, groups]) => [
    [
      `observability/rules/${name}.yaml`,
      () =>
        rulesFile(groups, {
          ...plain,
          comment: 'Written by "npm run docs" from src/core/observability.',
        }),
    ],
    [
      `charts/spillway/rules/${name}.yaml`,
      () => stringify(ruleGroups(groups, inChart), { lineWidth: 0 }),
    ],
  ]),
  ...Object.entries(ruleCases).map(([name, cases]) => [
    `observability/rules/tests/${name}.yaml`,
    () =>
      promtoolTest({
        cases,
        groups: [...recordingRules, ...alertRules],
        rulesFile: plain,
        ruleFiles: Object.keys(files).map((file) => `../${file}.yaml`),
      }),
  ]),
]);
