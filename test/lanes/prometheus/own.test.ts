// The configuration for those who run a Prometheus of their own: promtool accepts it, and what the compose file mounts is there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { promtool } from './promtool.ts';

const folder = 'observability';
const yaml = (name: string) => parse(readFileSync(join(folder, name), 'utf8'));

test('promtool accepts the configuration with its rules and targets', async () => {
  const { code, said } = await promtool('check', 'config', join(folder, 'prometheus.yml'));
  assert.equal(code, 0, said);
  assert.match(said, /SUCCESS: .*rules\/alerts\.yaml|rules\/alerts\.yaml\n\s+SUCCESS/s);
});

test('the jobs have the names that dashboards and alerts look for', () => {
  const { scrape_configs: jobs } = yaml('prometheus.yml') as {
    readonly scrape_configs: readonly { readonly job_name: string }[];
  };
  const names = jobs.map(({ job_name: name }) => name);
  assert.ok(names.some((name) => name.includes('engine')));
  assert.ok(names.some((name) => name.includes('router')));
});

test('each file that the compose file mounts exists', () => {
  const { services } = yaml('compose.yaml') as {
    readonly services: Readonly<Record<string, { readonly volumes: readonly string[] }>>;
  };
  const mounts = Object.values(services).flatMap(({ volumes }) => volumes);
  assert.ok(mounts.length >= 6);
  for (const mount of mounts) {
    const [source = ''] = mount.split(':');
    assert.ok(existsSync(join(folder, source)), source);
  }
});
