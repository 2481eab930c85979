// The keys below spillway that only the chart reads: its own image, and objects that upstream's chart lacks.
import { z } from 'zod';
import {
  imageDigest,
  kubernetesList,
  ours,
  pullPolicy,
  section,
  stringMap,
  text,
} from './schema-keys.ts';

export const chartKeys = {
  image: ours(
    section({
      repository: ours(
        text.min(1).default('spillway'),
        'Chart: image of the router, of embedded engines and of the gate, without tag.',
      ),
      tag: ours(text.default(''), "Chart: tag of that image; the chart's appVersion if empty."),
      digest: imageDigest(),
      pullPolicy: ours(pullPolicy.default('IfNotPresent'), 'Chart: when to pull it.'),
    }),
    "Chart: Spillway's own image.",
  ),
  prometheusRule: ours(
    section({
      enabled: ours(z.boolean().default(false), 'Chart: whether to create them.'),
      labels: ours(stringMap.default({}), 'Chart: labels by which Prometheus Operator finds them.'),
      runbooks: ours(
        text.min(1).default('docs/guide/alerts.md'),
        'Chart: URL where docs/guide/alerts.md is published; runbook_url of each alert is its section there.',
      ),
    }),
    'Chart: recording rules and alerts of Prometheus Operator.',
  ),
  networkPolicy: ours(
    section({
      enabled: ours(
        z.boolean().default(false),
        'Chart: let only routers and Prometheus reach engines, and only engines the cache server.',
      ),
      from: ours(
        kubernetesList.default([]),
        'Chart: who may reach engines besides; peers as in a NetworkPolicy.',
      ),
    }),
    'Chart: network policies of engines and cache server.',
  ),
  gate: ours(
    section({
      enabled: ours(
        z.boolean().default(false),
        'Chart: run "spillway gate" on a schedule; a job fails if engines are too full.',
      ),
      schedule: ours(text.default('0 6 * * *'), 'Chart: schedule, in the syntax of cron.'),
      prometheus: ours(
        text.default('http://prometheus-operated.monitoring.svc:9090'),
        'Chart: URL of Prometheus.',
      ),
      window: ours(text.default('24h'), 'Chart: length of the window.'),
      max: ours(z.number().gt(0).max(1).default(0.92), 'Chart: highest P99 that passes.'),
      selector: ours(
        text.default(''),
        'Chart: PromQL label matchers; those of the namespace if empty.',
      ),
    }),
    'Chart: a CronJob with the gate on HBM utilization.',
  ),
};
