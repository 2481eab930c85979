// What upstream's chart accepts: its schema of values, and what its templates, Kubernetes and Prometheus
// Operator refuse beyond that.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const schema = schemaOf('src/tools/plan/fixtures/production-stack-values.schema.json');
const spillwaySchema = schemaOf('charts/spillway/values.schema.json');

function schemaOf(file: string) {
  return z.fromJSONSchema(JSON.parse(readFileSync(file, 'utf8')));
}

interface ServiceMonitor {
  readonly enabled: boolean;
  readonly interval: string;
  readonly scrapeTimeout: string;
}

interface ChartValues {
  readonly servingEngineSpec: {
    readonly serviceMonitor?: ServiceMonitor;
    readonly modelSpec: readonly Readonly<Record<string, unknown>>[];
  };
  readonly routerSpec: {
    readonly routingLogic: string;
    readonly serviceMonitor?: ServiceMonitor;
    readonly extraPorts?: readonly { readonly port: number }[];
    readonly lmcacheControllerPort?: number;
    readonly lmcacheControllerReplyPort?: number;
    readonly lmcacheControllerHeartbeatPort?: number;
  };
}

/** @throws If Spillway's own chart refuses the file. */
export function assertSpillwayChartTakes(yaml: string): void {
  const { error } = spillwaySchema.safeParse(parse(yaml));
  assert.deepEqual(error?.issues ?? [], [], 'values.schema.json of charts/spillway');
}

/** The parsed file, once the chart takes it. */
export function assertInstalls(yaml: string): ChartValues {
  const data = parse(yaml) as unknown;
  const { error } = schema.safeParse(data);
  assert.deepEqual(error?.issues ?? [], [], 'values.schema.json of the chart');
  const values = data as ChartValues;
  const { servingEngineSpec, routerSpec } = values;
  const names = servingEngineSpec.modelSpec.map(({ name }) => name as string);
  assert.equal(new Set(names).size, names.length);
  for (const entry of servingEngineSpec.modelSpec) {
    // Names of a Service have at most 63 characters: "RELEASE-NAME-engine-service".
    assert.match(entry['name'] as string, /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/);
    // `required` in templates/deployment-vllm-multi.yaml and _helpers.tpl.
    for (const key of ['repository', 'tag', 'requestCPU', 'requestMemory', 'modelURL']) {
      assert.ok(entry[key] !== undefined && entry[key] !== '', `${names}: ${key} is required`);
    }
    const { extraArgs } = entry['vllmConfig'] as { extraArgs: readonly unknown[] };
    assert.ok(extraArgs.every((word) => typeof word === 'string'));
    const keda = entry['keda'] as { triggers?: unknown } | undefined;
    assert.equal(keda?.triggers, undefined, 'schema and template disagree about its type');
    assertController(entry, routerSpec);
  }
  for (const monitor of [servingEngineSpec.serviceMonitor, routerSpec.serviceMonitor]) {
    if (monitor === undefined) continue;
    const seconds = (text: string) => Number(/^(\d+)s$/.exec(text)?.[1]);
    // Prometheus Operator ignores a ServiceMonitor whose timeout exceeds its interval.
    assert.ok(seconds(monitor.scrapeTimeout) <= seconds(monitor.interval));
  }
  return values;
}

/**
 * The chart's kvaware reads LMCache's controller, which engines must reach through the router's Service. Each port is
 * there once: Spillway's chart exposes those of the controller itself, and Kubernetes refuses a repeated one.
 */
function assertController(
  { lmcacheConfig }: Readonly<Record<string, unknown>>,
  routerSpec: ChartValues['routerSpec'],
): void {
  const { routingLogic, extraPorts = [], lmcacheControllerPort } = routerSpec;
  const { lmcacheControllerReplyPort, lmcacheControllerHeartbeatPort } = routerSpec;
  const ports = [
    ...[lmcacheControllerPort ?? 9000, lmcacheControllerReplyPort, lmcacheControllerHeartbeatPort],
    ...extraPorts.map(({ port }) => port),
  ].filter((port) => port !== undefined);
  assert.equal(new Set(ports).size, ports.length, `ports of the Service: ${ports}`);
  if (routingLogic !== 'kvaware') return;
  const config = lmcacheConfig as Readonly<Record<string, unknown>> | undefined;
  assert.ok(config?.['enabled'] && config['enableController'], 'kvaware needs the controller');
  assert.equal(config['controllerPort'], lmcacheControllerPort);
  assert.equal(config['controllerPort'], 9000, 'the only port in the Service of the chart');
  assert.equal(config['controllerReplyPort'], lmcacheControllerReplyPort);
}
