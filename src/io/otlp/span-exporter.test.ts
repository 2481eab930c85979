import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type OtlpReceiver, startOtlpReceiver } from '../../../test/support/otlp-receiver.ts';
import { until } from '../../../test/support/until.ts';
import { MetricsRegistry } from '../../core/metrics/index.ts';
import type { Span } from '../../core/telemetry/index.ts';
import type { Logger } from '../log/index.ts';
import { GrpcChannel } from './grpc-channel.ts';
import { HttpChannel } from './http-channel.ts';
import { declareSpanMetrics } from './index.ts';
import type { OtlpChannel, SendResult } from './otlp-channel.ts';
import { ExportRequests } from './span-encoding.ts';
import { queueSpansMax, SpanExporter } from './span-exporter.ts';

const protocols = ['grpc', 'http/protobuf'] as const;
const span: Span = {
  name: 'chat llama',
  kind: 'server',
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentSpanId: '00f067aa0ba902b7',
  isParentRemote: true,
  traceState: 'rojo=1,congo=2',
  startMs: 1_790_000_000_000.25,
  endMs: 1_790_000_000_500.5,
  attributes: {
    text: 'é',
    count: 3,
    share: 0.5,
    flag: true,
    list: ['stop', 'length'],
    missing: undefined,
  },
  events: [{ name: 'attempt', atMs: 1_790_000_000_001, attributes: { engine: 'e' } }],
  error: 'broke',
};
const spansOf = (count: number): Span[] => Array.from({ length: count }, () => span);
const oneSpan = [span];

function testLog(): Logger & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const none = () => {};
  const warning = (text: string) => void warnings.push(text);
  return {
    infoEnabled: true,
    debug: none,
    info: none,
    warning,
    error: none,
    flush: none,
    warnings,
  };
}

function exporterOn(
  channel: OtlpChannel,
  options: { readonly log?: Logger; readonly timeoutMs?: number; readonly retryMs?: number } = {},
): SpanExporter {
  const { log = testLog(), timeoutMs = 10_000, retryMs = 1 } = options;
  const requests = new ExportRequests({ 'service.name': 'test' });
  const random = { next: () => 0.5 };
  return new SpanExporter({ channel, requests, timeoutMs, random, log, intervalMs: 1, retryMs });
}

function channelTo({ url }: OtlpReceiver, protocol: 'grpc' | 'http/protobuf'): OtlpChannel {
  const options = { headers: { 'x-key': 'k' }, ca: undefined };
  if (protocol === 'grpc') return new GrpcChannel({ url: new URL(url), ...options });
  return new HttpChannel({ url: new URL(`${url}/v1/traces`), ...options });
}

async function started(context: TestContext, protocol: 'grpc' | 'http/protobuf') {
  const receiver = await startOtlpReceiver(protocol);
  context.after(() => receiver.close());
  return receiver;
}

/** A channel without a socket. */
function scriptedChannel(send: (signal: AbortSignal) => Promise<SendResult>): OtlpChannel {
  return { send: (_body, signal) => send(signal), close: () => {} };
}

for (const protocol of protocols) {
  test(`${protocol}: a collector receives a span with all that it has`, async (context) => {
    const receiver = await started(context, protocol);
    const exporter = exporterOn(channelTo(receiver, protocol));
    exporter.add(oneSpan, 'error');
    const [received] = await receiver.received(1);
    const { missing: _, ...attributes } = span.attributes;
    assert.deepEqual(received, {
      traceId: span.traceId,
      spanId: span.spanId,
      parentSpanId: span.parentSpanId,
      traceState: span.traceState,
      name: span.name,
      kind: 2,
      startMs: span.startMs,
      endMs: span.endMs,
      attributes,
      events: span.events,
      status: 2,
      statusMessage: 'broke',
      resource: { 'service.name': 'test' },
    });
    assert.equal(receiver.requests[0]?.['x-key'], 'k');
    await exporter.close(1000);
    assert.equal(exporter.exportedSpans, 1);
  });

  test(`${protocol}: sends spans that came during a request over the same connection`, async (context) => {
    const receiver = await started(context, protocol);
    const exporter = exporterOn(channelTo(receiver, protocol));
    for (let sent = 1; sent <= 3; sent++) {
      exporter.add(oneSpan, 'sampled');
      await receiver.received(sent);
    }
    await exporter.close(1000);
    assert.equal(exporter.exportedSpans, 3);
  });

  test(`${protocol}: sends again after a refusal that may pass`, async (context) => {
    const receiver = await started(context, protocol);
    receiver.replies.push({ status: protocol === 'grpc' ? 14 : 503 });
    const exporter = exporterOn(channelTo(receiver, protocol));
    exporter.add(oneSpan, 'sampled');
    await receiver.received(1);
    assert.equal(receiver.requests.length, 2);
    await exporter.close(1000);
    assert.deepEqual(exporter.droppedSpans, {
      queue_full: 0,
      collector: 0,
      rejected: 0,
      shutdown: 0,
    });
  });

  test(`${protocol}: drops and reports what the collector will never accept`, async (context) => {
    const receiver = await started(context, protocol);
    receiver.replies.push({ status: protocol === 'grpc' ? 3 : 400 });
    const log = testLog();
    const exporter = exporterOn(channelTo(receiver, protocol), { log });
    exporter.add(spansOf(2), 'sampled');
    await until(() => exporter.droppedSpans.collector > 0);
    assert.equal(exporter.droppedSpans.collector, 2);
    assert.equal(receiver.requests.length, 1);
    assert.match(log.warnings.join(), /does not accept spans: (gRPC status 3|status 400).*2 spans/);
    await exporter.close(1000);
  });

  test(`${protocol}: counts what the collector rejects in part`, async (context) => {
    const receiver = await started(context, protocol);
    receiver.replies.push({ rejectedSpans: 1 });
    const log = testLog();
    const exporter = exporterOn(channelTo(receiver, protocol), { log });
    exporter.add(spansOf(3), 'sampled');
    await until(() => exporter.exportedSpans > 0);
    assert.equal(exporter.exportedSpans, 2);
    assert.equal(exporter.droppedSpans.rejected, 1);
    assert.match(log.warnings.join(), /refused 1 spans: no room/);
    await exporter.close(1000);
  });

  test(`${protocol}: gives up a request without a response at its deadline, and tries again`, async (context) => {
    const receiver = await started(context, protocol);
    receiver.replies.push({ isSilent: true });
    const exporter = exporterOn(channelTo(receiver, protocol), { timeoutMs: 200 });
    exporter.add(oneSpan, 'sampled');
    await receiver.received(1);
    assert.ok(receiver.requests.length >= 2);
    await exporter.close(1000);
  });

  test(`${protocol}: reports a collector that is not there`, async (context) => {
    const receiver = await startOtlpReceiver(protocol);
    const channel = channelTo(receiver, protocol);
    await receiver.close();
    const log = testLog();
    const exporter = exporterOn(channel, { log });
    context.after(() => exporter.close(0));
    exporter.add(oneSpan, 'sampled');
    await until(() => exporter.droppedSpans.collector > 0);
    assert.match(log.warnings.join(), /ECONNREFUSED/);
  });
}

test('what is sent before the end of the program arrives', async (context) => {
  const receiver = await started(context, 'grpc');
  const exporter = exporterOn(channelTo(receiver, 'grpc'));
  exporter.add(spansOf(600), 'sampled');
  await exporter.close(5000);
  assert.equal(receiver.spans.length, 600);
  assert.equal(receiver.requests.length, 2);
});

test('spans that are made later are sent with the next round, at the end of the program, or when there are many', async (context) => {
  const receiver = await started(context, 'grpc');
  const exporter = exporterOn(channelTo(receiver, 'grpc'));
  exporter.addLater(() => spansOf(2), 'sampled');
  await receiver.received(2);
  const idle = exporterOn(scriptedChannel(() => new Promise(() => {})));
  let made = 0;
  for (let trace = 1; trace <= 40; trace++) idle.addLater(() => spansOf(++made && 1), 'error');
  assert.equal(made, 32);
  assert.equal(idle.queuedSpans, 32);
  exporter.addLater(() => oneSpan, 'error');
  await exporter.close(1000);
  assert.equal(receiver.spans.length, 3);
  exporter.addLater(() => oneSpan, 'error');
  assert.equal(exporter.droppedSpans.shutdown, 1);
});

test('a collector that does not respond delays the end by no more than the deadline', async () => {
  const silent = (signal: AbortSignal) =>
    new Promise<SendResult>((resolve) => {
      signal.addEventListener('abort', () => resolve({ kind: 'retry', why: 'aborted' }));
    });
  const exporter = exporterOn(scriptedChannel(silent));
  exporter.add(spansOf(300), 'sampled');
  await exporter.close(20);
  assert.equal(exporter.droppedSpans.shutdown, 300);
  exporter.add(oneSpan, 'error');
  assert.equal(exporter.droppedSpans.shutdown, 301);
});

test('a full queue drops and counts new traces; its last quarter is for errors and expensive ones', () => {
  const exporter = exporterOn(scriptedChannel(() => new Promise(() => {})));
  const sampledMax = (queueSpansMax * 3) / 4;
  exporter.add(spansOf(sampledMax - 1), 'sampled');
  exporter.add(spansOf(2), 'sampled');
  assert.equal(exporter.droppedSpans.queue_full, 2);
  exporter.add(spansOf(2), 'error');
  exporter.add(spansOf(2), 'expensive');
  assert.equal(exporter.queuedSpans, sampledMax + 3);
  exporter.add(spansOf(queueSpansMax), 'error');
  assert.equal(exporter.droppedSpans.queue_full, 2 + queueSpansMax);
  assert.equal(exporter.queuedSpans, sampledMax + 3);
});

test('a collector that is down gets no more requests than the retry budget and one a round', async () => {
  let requests = 0;
  const exporter = exporterOn(
    scriptedChannel(async () => {
      requests++;
      return { kind: 'retry', why: 'down' };
    }),
  );
  for (let batch = 1; batch <= 3; batch++) {
    exporter.add(oneSpan, 'sampled');
    await until(() => exporter.droppedSpans.collector === batch);
  }
  // Five retries in a row for the first batch, none for those after it.
  assert.equal(requests, 6 + 1 + 1);
  await exporter.close(0);
});

test('waits as long as the collector asks before a retry', async () => {
  const results: SendResult[] = [{ kind: 'retry', why: '', afterMs: 60_000 }];
  let requests = 0;
  const exporter = exporterOn(
    scriptedChannel(async () => {
      requests++;
      return results.shift() ?? { kind: 'ok', response: Buffer.alloc(0) };
    }),
  );
  exporter.add(oneSpan, 'sampled');
  await until(() => requests === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(requests, 1);
  // Closing does not wait for the pause, and tries once more.
  await exporter.close(1000);
  assert.equal(exporter.exportedSpans, 1);
});

test('its counts are metrics', async () => {
  const registry = new MetricsRegistry();
  const exporter = exporterOn(scriptedChannel(() => new Promise(() => {})));
  declareSpanMetrics(registry, exporter);
  exporter.add(spansOf(queueSpansMax + 1), 'error');
  exporter.add(spansOf(2), 'error');
  assert.match(
    registry.render(),
    /^spillway_otel_spans_dropped_total\{reason="queue_full"\} 4097\.0$/m,
  );
  assert.match(registry.render(), /^spillway_otel_spans_queued 2\.0$/m);
  assert.match(registry.render(), /^spillway_otel_spans_exported_total 0\.0$/m);
});
