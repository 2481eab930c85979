// Readings of made pages, with the lines that vLLM and routers write.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FleetMeter, type FleetPages, type MeteredPod } from './fleet-meter.ts';

interface EngineFigures {
  readonly finished?: number;
  readonly running?: number;
  readonly waiting?: number;
  readonly kvUsage?: number;
  readonly slow?: number;
}

const url = (uid: string) => `http://${uid}:8000`;

function engine(uid: string, figures: EngineFigures | undefined = {}): MeteredPod {
  const { finished = 0, running = 0, waiting = 0, kvUsage = 0, slow = 0 } = figures;
  const label = '{engine="0",model_name="m"}';
  const page = [
    `vllm:num_requests_running${label} ${running}.0`,
    `vllm:num_requests_waiting${label} ${waiting}.0`,
    `vllm:kv_cache_usage_perc${label} ${kvUsage}`,
    `vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} ${finished}.0`,
    `vllm:request_success_total{engine="0",finished_reason="abort",model_name="m"} 0.0`,
    `vllm:request_prefill_time_seconds_sum${label} ${finished * 0.5}`,
    `vllm:request_prefill_time_seconds_count${label} ${finished}.0`,
    `vllm:time_to_first_token_seconds_bucket{engine="0",le="1.0",model_name="m"} ${finished - slow}.0`,
    `vllm:time_to_first_token_seconds_bucket{engine="0",le="10.0",model_name="m"} ${finished}.0`,
    `vllm:time_to_first_token_seconds_bucket{engine="0",le="+Inf",model_name="m"} ${finished}.0`,
  ].join('\n');
  return { uid, url: url(uid), page };
}

function router(
  uid: string,
  { queued = 0, incoming = 0, predicted = 0 },
  server = url('e1'),
): MeteredPod {
  const bucket = (value: string, le: string, count: number) =>
    `spillway_router_first_byte_prediction_seconds_bucket{server="${server}",value="${value}",le="${le}"} ${count}`;
  const page = [
    `vllm:num_requests_running{server="${server}"} 77`,
    `vllm:num_incoming_requests_total{model="m"} ${incoming}`,
    `vllm:num_incoming_requests_total{model="other"} 900`,
    `spillway_router_queued_requests{model="m"} ${queued}`,
    `spillway_router_queued_requests{model="other"} 50`,
    bucket('predicted', '2.0', 0),
    bucket('predicted', '4.0', predicted),
    bucket('predicted', '+Inf', predicted),
    bucket('error', '0.1', 10 * predicted),
    bucket('error', '+Inf', 10 * predicted),
  ].join('\n');
  return { uid, url: url(uid), page };
}

function read(meter: FleetMeter, pages: Partial<FleetPages>) {
  return meter.read({
    ...{ nowSeconds: 0, model: 'm', replicas: 2, engines: [], routers: [] },
    ...pages,
  });
}

test('engines give arrivals, prompts, queue, KV cache and TTFT', () => {
  const meter = new FleetMeter();
  read(meter, { engines: [engine('e1', { finished: 100 })] });
  const reading = read(meter, {
    nowSeconds: 15,
    replicas: 3,
    engines: [
      engine('e1', { finished: 110, running: 4, waiting: 2, kvUsage: 0.5 }),
      engine('e2', { kvUsage: 0.1 }),
    ],
  });
  assert.deepEqual(reading, {
    ...{ nowSeconds: 15, ready: 2, starting: 1, waiting: 2, running: 4, held: 0 },
    // Ten have ended since, and six are there.
    arrived: 16,
    ...{ prefilled: 10, prefillSeconds: 5, kvUsage: 0.3 },
    ttftSeconds: 0.9,
  });
});

test('routers give what waits for an engine, and the TTFT that they predict for these engines', () => {
  const meter = new FleetMeter();
  const look = (queued: number, predicted: number, server?: string) =>
    read(meter, {
      engines: [engine('e1')],
      routers: [router('r1', { queued, predicted }, server), router('r2', { queued: 1 })],
    });
  look(0, 0);
  const reading = look(5, 10);
  assert.deepEqual([reading?.held, reading?.arrived], [6, 6]);
  // 90 % of the bucket from 2 to 4 s.
  assert.ok(Math.abs((reading?.ttftSeconds ?? 0) - 3.8) < 1e-9, `${reading?.ttftSeconds}`);
  // Requests to engines of another runtime.
  look(0, 0, url('else'));
  assert.equal(look(0, 10, url('else'))?.ttftSeconds, undefined);
});

test('an engine that does not respond is taken for one like the others', () => {
  const meter = new FleetMeter();
  const silent = { uid: 'e2', url: url('e2'), page: undefined };
  const reading = read(meter, {
    engines: [engine('e1', { running: 4, waiting: 3, kvUsage: 0.6 }), silent],
  });
  assert.deepEqual(
    [reading?.ready, reading?.running, reading?.waiting, reading?.kvUsage],
    [2, 8, 6, 0.6],
  );
  assert.equal(read(meter, { engines: [silent] }), undefined);
});

test('without engines, a request that a router does not hold asks for one, too', () => {
  const meter = new FleetMeter();
  const look = (incoming: number) =>
    read(meter, { replicas: 0, routers: [router('r1', { incoming })] })?.held;
  assert.equal(look(500), 0, 'before the first look');
  assert.equal(look(503), 3);
  assert.equal(look(503), 0);
});
