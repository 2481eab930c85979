import assert from 'node:assert/strict';
import { test } from 'node:test';
import { monitoringServices } from './monitoring-services.ts';

const service = (
  namespace: string,
  name: string,
  labels: Readonly<Record<string, string>>,
  ports: readonly object[] = [{ name: 'http', port: 80 }],
) => ({ metadata: { namespace, name, labels }, spec: { ports } });

test('the Services of kube-prometheus-stack are found by their labels', () => {
  const found = monitoringServices(
    [
      service('monitoring', 'kps-prometheus-node-exporter', {
        'app.kubernetes.io/name': 'prometheus-node-exporter',
      }),
      service('monitoring', 'kps-alertmanager', { app: 'kube-prometheus-stack-alertmanager' }),
      service('monitoring', 'kps-prometheus', { app: 'kube-prometheus-stack-prometheus' }, [
        { name: 'http-web', port: 9090 },
        { name: 'reloader-web', port: 8080 },
      ]),
      service('monitoring', 'kps-grafana', { 'app.kubernetes.io/name': 'grafana' }, [
        { name: 'http-web', port: 80 },
      ]),
    ],
    'llm',
  );
  assert.deepEqual(found, [
    { program: 'grafana', namespace: 'monitoring', service: 'kps-grafana', portName: 'http-web' },
    {
      ...{ program: 'prometheus', namespace: 'monitoring' },
      ...{ service: 'kps-prometheus', portName: 'http-web' },
    },
  ]);
});

test('the server of the chart prometheus is found, not its push gateway', () => {
  const labels = (component: string) => ({
    ...{ 'app.kubernetes.io/name': 'prometheus', 'app.kubernetes.io/component': component },
  });
  const found = monitoringServices(
    [service('p', 'a-pushgateway', labels('pushgateway')), service('p', 'z', labels('server'))],
    'llm',
  );
  assert.deepEqual(
    found.map(({ service }) => service),
    ['z'],
  );
});

test('of several, the one in the own namespace is taken, then one in monitoring', () => {
  const grafana = { 'app.kubernetes.io/name': 'grafana' };
  const all = ['zoo', 'monitoring', 'llm', 'abc'].map((name) => service(name, 'grafana', grafana));
  const namespaceFor = (services: readonly object[], own: string) =>
    monitoringServices(services, own)[0]?.namespace;
  assert.equal(namespaceFor(all, 'llm'), 'llm');
  assert.equal(namespaceFor(all, 'other'), 'monitoring');
  assert.equal(namespaceFor([all[0] ?? {}, all[3] ?? {}], 'other'), 'abc');
});

test('a Service without ports or labels is none', () => {
  const bare = { metadata: { name: 'grafana' }, spec: {} };
  assert.deepEqual(monitoringServices([bare, service('n', 's', {}, [])], 'llm'), []);
});
