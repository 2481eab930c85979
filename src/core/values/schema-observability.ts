// The keys below spillway.observability: what watches a stack.
import { z } from 'zod';
import { ours, section, text } from './schema-keys.ts';

export const observability = ours(
  section({
    prometheus: ours(
      z.boolean().default(false),
      'Whether a Prometheus watches the stack. "spillway up" starts one with targets, alerts and recording rules. The ' +
        'chart creates ServiceMonitors, rules and dashboards where the cluster has Prometheus Operator.',
    ),
    prometheusPort: ours(
      z.int().min(0).max(65535).default(9090),
      'Port of the Prometheus that "spillway up" starts, on 127.0.0.1. 0: any free port.',
    ),
    prometheusCommand: ours(
      z.array(text.min(1)).min(1).default(['prometheus']),
      'Program and first arguments that start Prometheus.',
    ),
    prometheusDirectory: ours(
      text.min(1).optional(),
      'Folder where the Prometheus of "spillway up" keeps its data for 15 days, which a query or gate over a day needs; ' +
        'if unset a temporary one, removed at the end.',
    ),
    prometheusRules: ours(
      z.array(text.min(1)).default([]),
      'Further rules files of the Prometheus that "spillway up" starts, such as that of "spillway plan --rules".',
    ),
    scrapeSeconds: ours(
      z.int().min(1).max(60).default(5),
      'Seconds between two scrapes of the Prometheus that "spillway up" starts.',
    ),
  }),
  'Observability of the stack.',
);
