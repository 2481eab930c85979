// Writes docs/reference, the worked plans and what the README prints from the code; with --check, fails if a file there is not current.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { valuesJsonSchema } from '../src/core/values/index.ts';
import { engineArguments, routerArguments } from './chart-arguments.ts';
import { loraAdapterCrd } from './chart-crds.ts';
import { chartReference } from './chart-reference.ts';
import { chartSchema, valuesShape } from './chart-shape.ts';
import { chartValues } from './chart-values.ts';
import { cliReference } from './cli-reference.ts';
import { compatibilityReference } from './compatibility-reference.ts';
import { dashboardFiles } from './dashboards.ts';
import { errorReference } from './error-reference.ts';
import { planCases } from './plan-cases.ts';
import { policiesReference } from './policies-reference.ts';
import { readmePage } from './readme.ts';
import { ruleFiles } from './rules.ts';
import { rulesReference } from './rules-reference.ts';
import { settingsReference } from './settings-reference.ts';
import { stackDeciderSkill } from './skill.ts';
import { valuesReference } from './values-reference.ts';
import { workloadReference } from './workload-reference.ts';

/** Each generated file, and the function that makes its text from the code. */
const generated: Readonly<Record<string, () => string | Promise<string>>> = {
  'README.md': readmePage,
  ...dashboardFiles,
  ...ruleFiles,
  'charts/spillway/crds/crd-lora-adapter.yaml': loraAdapterCrd,
  'charts/spillway/templates/_engine-arguments.tpl': engineArguments,
  'charts/spillway/templates/_router-arguments.tpl': routerArguments,
  'charts/spillway/templates/_values-shape.tpl': valuesShape,
  'charts/spillway/values.schema.json': chartSchema,
  'charts/spillway/values.yaml': chartValues,
  'docs/guide/plan/cases.md': planCases,
  'docs/reference/chart.md': chartReference,
  'docs/reference/cli.md': cliReference,
  'docs/reference/errors.md': errorReference,
  'docs/reference/policies.md': policiesReference,
  'docs/reference/rules.md': rulesReference,
  'docs/reference/settings.md': settingsReference,
  'docs/reference/values.md': valuesReference,
  'docs/reference/vllm-compatibility.md': compatibilityReference,
  'docs/reference/workload.md': workloadReference,
  'outputs/skill-vllm-stack-decider.md': stackDeciderSkill,
  'values.schema.json': valuesJsonSchema,
};

const check = process.argv.includes('--check');
const stale: string[] = [];
for (const [file, make] of Object.entries(generated)) {
  const text = await make();
  if (read(file) === text) continue;
  stale.push(file);
  if (check) continue;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`wrote ${file}`);
}
if (check && stale.length > 0) {
  console.error(`Not current: ${stale.join(', ')}; run "npm run docs".`);
  process.exitCode = 1;
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
