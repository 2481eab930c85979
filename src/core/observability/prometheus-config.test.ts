import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'yaml';
import { prometheusConfig } from './prometheus-config.ts';

test('a configuration has a job per kind of process, with its targets and rules', () => {
  const text = prometheusConfig({
    ...{ scrapeSeconds: 5, ruleFiles: ['alerts.yaml'] },
    jobs: [
      {
        name: 'spillway-engines',
        targets: [
          { address: '127.0.0.1:8001', pod: 'm-1' },
          { address: 'gpu.example:443', scheme: 'https', path: '/a/metrics' },
        ],
      },
      { name: 'spillway-router', targets: [{ address: 'r:8000' }], hasOwnCertificates: true },
      { name: 'more-engines', targets: [], targetFiles: ['engines.yaml'] },
    ],
  });
  assert.deepEqual(parse(text), {
    global: { scrape_interval: '5s', evaluation_interval: '5s' },
    rule_files: ['alerts.yaml'],
    scrape_configs: [
      {
        job_name: 'spillway-engines',
        static_configs: [
          { targets: ['127.0.0.1:8001'], labels: { pod: 'm-1' } },
          {
            targets: ['gpu.example:443'],
            labels: { __scheme__: 'https', __metrics_path__: '/a/metrics' },
          },
        ],
      },
      {
        job_name: 'spillway-router',
        scheme: 'https',
        tls_config: { insecure_skip_verify: true },
        static_configs: [{ targets: ['r:8000'] }],
      },
      { job_name: 'more-engines', file_sd_configs: [{ files: ['engines.yaml'] }] },
    ],
  });
});
