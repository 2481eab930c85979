// Prometheus rules with the alert on HBM pressure, and their unit test for promtool.
import type { Thresholds } from '../../core/values/index.ts';

/** Returns the rules file: one alert before requests are preempted, one when they are. */
export function prometheusRules({ hbmUtilization, hbmSustainedSeconds }: Thresholds): string {
  const percent = Math.round(hbmUtilization * 100);
  return `# HBM pressure of vLLM engines, from "spillway plan". The metric is KV-cache utilization: vLLM reserves its
# share of device memory when it starts, so device memory itself shows no pressure.
groups:
  - name: vllm-hbm
    rules:
      - alert: VllmHbmPressure
        # The second name is the one before vLLM 0.11.
        expr: vllm:kv_cache_usage_perc >= ${hbmUtilization} or vllm:gpu_cache_usage_perc >= ${hbmUtilization}
        for: ${hbmSustainedSeconds}s
        labels:
          severity: warning
        annotations:
          summary: "KV cache of {{ $labels.instance }} at or above ${percent} % for ${durationWords(hbmSustainedSeconds)}"
          description: "Requests will soon be preempted and their prompts recomputed. Add engines, route by prefix, or offload KV; spillway gate reports the P99 of the day."
      - alert: VllmPreempting
        expr: increase(vllm:num_preemptions_total[5m]) > 0
        for: ${hbmSustainedSeconds}s
        labels:
          severity: critical
        annotations:
          summary: "{{ $labels.instance }} preempts requests"
          description: "HBM is too small for the running requests. Throughput is lost to recomputing prompts."
`;
}

/**
 * Returns a unit test for `promtool test rules`: the alert fires after the configured time, not earlier, and not
 * below the threshold.
 *
 * @param rulesFile Path of the rules, relative to the folder of the test.
 */
export function prometheusRulesTest(
  { hbmUtilization, hbmSustainedSeconds }: Thresholds,
  rulesFile: string,
): string {
  const minutes = Math.ceil(hbmSustainedSeconds / 60);
  const below = Number((hbmUtilization - 0.01).toFixed(4));
  const percent = Math.round(hbmUtilization * 100);
  return `rule_files: [${JSON.stringify(rulesFile)}]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - series: vllm:kv_cache_usage_perc{instance="hot"}
        values: ${hbmUtilization}x${minutes + 5}
      - series: vllm:kv_cache_usage_perc{instance="cool"}
        values: ${below}x${minutes + 5}
    alert_rule_test:
      - eval_time: ${minutes - 1}m
        alertname: VllmHbmPressure
        exp_alerts: []
      - eval_time: ${minutes + 1}m
        alertname: VllmHbmPressure
        exp_alerts:
          - exp_labels: { severity: warning, instance: hot }
            exp_annotations:
              summary: "KV cache of hot at or above ${percent} % for ${durationWords(hbmSustainedSeconds)}"
              description: "Requests will soon be preempted and their prompts recomputed. Add engines, route by prefix, or offload KV; spillway gate reports the P99 of the day."
`;
}

function durationWords(seconds: number): string {
  return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}
