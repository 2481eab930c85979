// promtool accepts the rules; each fires and is silent where its cases say; and a rule that is changed does not pass them.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { parse, stringify } from 'yaml';
import { promtool } from './promtool.ts';

const rules = 'observability/rules';
const folder = mkdtempSync(join(tmpdir(), 'spillway-rules-'));
after(() => rmSync(folder, { recursive: true }));

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  expr: string;
}
interface RulesFile {
  readonly groups: readonly { readonly rules: readonly Rule[] }[];
}

const testFiles = (directory: string) =>
  readdirSync(join(directory, 'tests')).map((file) => join(directory, 'tests', file));

test('promtool accepts the rules, and their tests pass', async () => {
  for (const file of ['alerts', 'recordings']) {
    const { code, said } = await promtool('check', 'rules', `${rules}/${file}.yaml`);
    assert.equal(code, 0, said);
  }
  const { code, said } = await promtool('test', 'rules', ...testFiles(rules));
  assert.equal(code, 0, said);
});

/** Changes of an expression that its cases must notice. */
const mutations: Readonly<Record<string, (expression: string) => string>> = {
  'never has a value': (expression) => `(${expression}) and vector(0) == 1`,
  'has a value for every target': (expression) => `(${expression}) or up or vector(1)`,
};

for (const [what, change] of Object.entries(mutations)) {
  test(`the cases notice an alert that ${what}`, async () => {
    const file = parse(readFileSync(`${rules}/alerts.yaml`, 'utf8')) as RulesFile;
    const alerts = file.groups.flatMap((group) => group.rules);
    assert.ok(alerts.length > 15);
    const copy = join(folder, what.replaceAll(' ', '-'));
    cpSync(rules, copy, { recursive: true });
    for (const alert of alerts) alert.expr = change(alert.expr);
    writeFileSync(join(copy, 'alerts.yaml'), stringify(file));
    const { said } = await promtool('test', 'rules', ...testFiles(copy));
    const failed = new Set([...said.matchAll(/alertname: (\w+),/g)].map(([, name]) => name));
    const unnoticed = alerts.map(({ alert }) => alert).filter((name) => !failed.has(name));
    assert.deepEqual(unnoticed, []);
  });
}
