// The built-in scaler against engines and routers that are scripted pages on real sockets, and a cluster that keeps what it is
// told.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../core/base/index.ts';
import type { EnginePod, KubernetesObject, Resource } from '../../core/operator/index.ts';
import { createLogger } from '../../io/log/index.ts';
import type { ScalingCluster } from './cluster.ts';
import { ScalingController } from './scaling-controller.ts';

/** A runtime of a namespace, its engines and a router. */
class MadeFleet implements ScalingCluster {
  readonly clock = new ManualClock();
  readonly events: string[] = [];
  readonly scalers: KubernetesObject[] = [];
  engines: EnginePod[] = [];
  /** The router's pods, as the API server has them. */
  routerPods: KubernetesObject[] = [];
  replicas = 1;
  builtIn: object = { ttftSeconds: 5, startupSeconds: 60, downSeconds: 60, idleSeconds: 60 };
  min = 0;
  changes = 0;

  get runtime(): Resource {
    return {
      apiVersion: 'production-stack.vllm.ai/v1alpha1',
      kind: 'VLLMRuntime',
      metadata: { name: 'qwen', namespace: 'models', uid: 'u' },
      spec: {
        model: { modelURL: 'm' },
        vllmConfig: {},
        deploymentConfig: {
          ...{ replicas: this.replicas, resources: {} },
          image: { registry: '', name: 'vllm:v1' },
        },
        autoscalingConfig: {
          ...{ enabled: true, scaler: 'built-in', builtIn: this.builtIn },
          ...{ minReplicas: this.min, maxReplicas: 5 },
        },
      },
    };
  }

  controller(t: TestContext): ScalingController {
    const controller = new ScalingController({
      ...{ cluster: this, clock: this.clock },
      log: createLogger({ stream: process.stderr, level: 'critical', format: 'text' }),
      pods: () => this.engines,
      routers: () => [
        {
          ...{ apiVersion: 'any', kind: 'VLLMRouter', metadata: { name: 'router' } },
          spec: { k8sLabelSelector: 'app=qwen' },
        },
      ],
      onChange: () => {
        this.changes += 1;
      },
    });
    t.after(() => controller.close());
    return controller;
  }

  async list({ kind, labelSelector }: Parameters<ScalingCluster['list']>[0]) {
    if (kind !== 'Pod') return this.scalers.filter((one) => one.kind === kind);
    return labelSelector === 'app=router' ? this.routerPods : [];
  }

  async setScale(_: unknown, replicas: number): Promise<void> {
    this.replicas = replicas;
  }

  async record(_: unknown, { reason, message }: { reason: string; message: string }) {
    this.events.push(`${reason}: ${message}`);
  }

  /** Looks so many times. */
  async look(controller: ScalingController, times = 1): Promise<string> {
    for (let i = 0; i < times; i++) {
      await controller.work(this.runtime);
      this.clock.advance(15);
    }
    return controller.condition(this.runtime)?.reason ?? '';
  }
}

/** A server whose /metrics is what `page` returns at the time; without a page it hangs up. */
async function pageServer(t: TestContext, page: () => string | undefined) {
  const server = createServer((request, response) => {
    const text = request.url === '/metrics' ? page() : undefined;
    if (text === undefined) response.destroy();
    else response.end(text);
  });
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

function enginePod(name: string, port: number): EnginePod {
  return {
    ...{ name, uid: name, labels: { app: 'qwen' }, version: 'v1', isReady: true },
    ...{ url: `http://127.0.0.1:${port}`, isScheduled: true, isDeleting: false },
    ...{ failure: undefined, pending: undefined },
  };
}

function routerPod(port: number): KubernetesObject {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'router-1', uid: 'r' } },
    spec: { containers: [{ ports: [{ name: 'http', containerPort: port }] }] },
    status: { phase: 'Running', podIP: '127.0.0.1' },
  };
}

test('a request that a router holds starts the first engine, and an idle fleet goes to none', async (t) => {
  const fleet = new MadeFleet();
  let queued = 0;
  const port = await pageServer(t, () => `spillway_router_queued_requests{model="m"} ${queued}\n`);
  fleet.routerPods = [routerPod(port)];
  fleet.replicas = 0;
  const controller = fleet.controller(t);
  assert.equal(await fleet.look(controller, 5), 'AsNeeded');
  assert.equal(fleet.replicas, 0);
  queued = 3;
  assert.equal(await fleet.look(controller), 'ScaledUp');
  assert.equal(fleet.replicas, 1);
  assert.deepEqual(fleet.events, ['ScaledUp: 0 → 1 engines: requests wait for a first engine.']);
  queued = 0;
  fleet.engines = [enginePod('e1', await pageServer(t, () => 'vllm:num_requests_running 0\n'))];
  assert.equal(await fleet.look(controller, 12), 'ScaledDown');
  assert.equal(fleet.replicas, 0);
  assert.match(fleet.events[1] ?? '', /^ScaledDown: 1 → 0 engines: no request has come for 60 s/);
});

test('load adds engines, and its end removes them after the hysteresis', async (t) => {
  const fleet = new MadeFleet();
  fleet.min = 1;
  let [finished, perLook] = [0, 60];
  const port = await pageServer(t, () => {
    finished += perLook;
    return [
      `vllm:request_success_total ${finished}`,
      `vllm:request_prefill_time_seconds_count ${finished}`,
      `vllm:request_prefill_time_seconds_sum ${finished * 0.5}`,
      'vllm:num_requests_running 1',
    ].join('\n');
  });
  fleet.engines = [enginePod('e1', port)];
  const controller = fleet.controller(t);
  await fleet.look(controller, 8);
  // 4 requests/s of half a second each.
  assert.ok(fleet.replicas >= 3, `${fleet.replicas}`);
  assert.match(fleet.events[0] ?? '', /requests\/s expected, of 0.50 s each/);
  const most = fleet.replicas;
  perLook = 1;
  await fleet.look(controller, 3);
  assert.equal(fleet.replicas, most, 'not before they have not been needed for a minute');
  await fleet.look(controller, 20);
  assert.equal(fleet.replicas, 1);
});

test('an operator that has just begun keeps the engines until it knows the load', async (t) => {
  const fleet = new MadeFleet();
  fleet.min = 1;
  fleet.replicas = 4;
  const port = await pageServer(t, () => 'vllm:num_requests_running 5\n');
  fleet.engines = Array.from({ length: 4 }, (_, i) => enginePod(`e${i}`, port));
  assert.equal(await fleet.look(fleet.controller(t), 6), 'AsNeeded');
  assert.deepEqual([fleet.replicas, fleet.changes], [4, 1]);
});

test('with nothing to read, the number stays and the condition says why', async (t) => {
  const fleet = new MadeFleet();
  fleet.replicas = 3;
  fleet.engines = [enginePod('e1', await pageServer(t, () => undefined))];
  const controller = fleet.controller(t);
  assert.equal(await fleet.look(controller), 'MetricsUnavailable');
  assert.match(controller.condition(fleet.runtime)?.message ?? '', /no engine responds/);
  fleet.engines = [];
  fleet.replicas = 0;
  fleet.routerPods = [routerPod(await pageServer(t, () => undefined))];
  assert.equal(await fleet.look(controller), 'MetricsUnavailable');
  assert.deepEqual([fleet.replicas, fleet.events], [0, []]);
});

test('without a router nobody could ask for a first engine, so the last one stays, and none is started', async (t) => {
  const fleet = new MadeFleet();
  fleet.replicas = 3;
  const port = await pageServer(t, () => 'vllm:num_requests_running 0\n');
  fleet.engines = [enginePod('e1', port)];
  const controller = fleet.controller(t);
  assert.equal(await fleet.look(controller, 8), 'ScaledDown');
  assert.equal(fleet.replicas, 1);
  assert.match(fleet.events[0] ?? '', /without a router to ask for requests, one engine stays/);
  fleet.replicas = 0;
  fleet.engines = [];
  assert.equal(await fleet.look(controller, 2), 'MetricsUnavailable');
  assert.match(controller.condition(fleet.runtime)?.message ?? '', /no engine, and no router/);
  assert.equal(fleet.replicas, 0);
});

test('it does nothing while another scaler has the same target', async (t) => {
  const fleet = new MadeFleet();
  fleet.min = 2;
  fleet.engines = [enginePod('e1', await pageServer(t, () => 'vllm:num_requests_running 0\n'))];
  fleet.scalers.push({
    ...{ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name: 'x' } },
    spec: { scaleTargetRef: { kind: 'VLLMRuntime', name: 'qwen' } },
  });
  const controller = fleet.controller(t);
  assert.equal(await fleet.look(controller), 'ConflictingScaler');
  assert.match(
    controller.condition(fleet.runtime)?.message ?? '',
    /^HorizontalPodAutoscaler x scales this runtime, too, so the built-in scaler does nothing: delete it, or/,
  );
  assert.equal(fleet.replicas, 1);
  fleet.scalers.length = 0;
  assert.equal(await fleet.look(controller), 'ScaledUp');
});

test('bounds hold at once, and a changed service level begins anew', async (t) => {
  const fleet = new MadeFleet();
  fleet.min = 2;
  fleet.engines = [enginePod('e1', await pageServer(t, () => 'vllm:num_requests_running 0\n'))];
  const controller = fleet.controller(t);
  await fleet.look(controller);
  assert.equal(fleet.replicas, 2);
  fleet.builtIn = { ttftSeconds: 1 };
  await fleet.look(controller);
  assert.equal(fleet.replicas, 2);
});
