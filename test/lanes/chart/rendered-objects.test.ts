import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultsOf } from './rendered-objects.ts';

const pod = (more: object = {}, container: object = {}) => ({
  metadata: { labels: { app: 'a' } },
  spec: {
    containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 80 }], ...container }],
    ...more,
  },
});
const deployment = (template: object, name = 'd') => ({
  ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec: { template } },
});
const service = (ports: readonly object[]) => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 's' } },
  spec: { selector: { app: 'a' }, ports },
});
const budget = (name: string) => ({
  ...{ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', metadata: { name } },
  spec: { selector: { matchLabels: { app: 'a' } } },
});

test('objects that fit together have no fault', () => {
  const fitting = [
    deployment(pod()),
    service([
      { name: 'a', port: 80, targetPort: 'http' },
      { name: 'b', port: 80, protocol: 'UDP' },
    ]),
    budget('b'),
  ];
  assert.deepEqual(faultsOf(fitting), []);
});

const wrong: readonly (readonly [string, readonly object[], RegExp])[] = [
  [
    'an object',
    [deployment(pod()), deployment(pod())],
    /the object apps Deployment {2}d is there twice/,
  ],
  [
    'a port of a Service',
    [
      service([
        { name: 'a', port: 1 },
        { name: 'b', port: 1 },
      ]),
    ],
    /the port 1\/TCP is there twice/,
  ],
  [
    'the name of a port',
    [
      service([
        { name: 'a', port: 1 },
        { name: 'a', port: 2 },
      ]),
    ],
    /the name a of a port/,
  ],
  [
    'a variable',
    [deployment(pod({}, { env: [{ name: 'A' }, { name: 'A' }] }))],
    /variable A is there twice/,
  ],
  [
    'a volume',
    [deployment(pod({ volumes: [{ name: 'v' }, { name: 'v' }] }))],
    /volume v is there twice/,
  ],
  [
    'a path of volumes',
    [
      deployment(
        pod(
          { volumes: [{ name: 'v' }, { name: 'w' }] },
          { volumeMounts: ['v', 'w'].map((name) => ({ name, mountPath: '/x' })) },
        ),
      ),
    ],
    /two volumes are mounted at \/x/,
  ],
  [
    'a container',
    [deployment(pod({ initContainers: [{ name: 'c' }] }))],
    /the container c is there twice/,
  ],
  [
    'a port of a container',
    [
      deployment(
        pod(
          {},
          {
            ports: [
              { name: 'a', containerPort: 1 },
              { name: 'b', containerPort: 1 },
            ],
          },
        ),
      ),
    ],
    /port 1\/TCP is there twice in one pod/,
  ],
  [
    'a budget of the same pods',
    [deployment(pod()), budget('a'), budget('b')],
    /2 budgets select its pods/,
  ],
];
for (const [what, objects, sentence] of wrong) {
  test(`${what} that is there twice is a fault`, () => {
    assert.match(faultsOf(objects).join('\n'), sentence);
  });
}

test('a name, a target or a text that Kubernetes refuses is a fault', () => {
  for (const [objects, sentence] of [
    [
      [service([{ name: 'a', port: 1, targetPort: 'none' }]), deployment(pod())],
      /targetPort none is no port/,
    ],
    [
      [{ kind: 'Service', metadata: { name: 'a'.repeat(64) }, spec: {} }],
      /has 64 characters, at most 63/,
    ],
    [
      [{ kind: 'Service', metadata: { name: '7b' }, spec: {} }],
      /characters that Kubernetes refuses/,
    ],
    [[deployment(pod(), 'Big')], /characters that Kubernetes refuses/],
    [[deployment(pod({}, { env: [{ name: 'A', value: true }] }))], /A is true, not a text/],
    [[deployment(pod({}, { args: [1] }))], /the argument 1 is not a text/],
    [
      [deployment(pod({}, { volumeMounts: [{ name: 'v', mountPath: '/x' }] }))],
      /mounted, but not there/,
    ],
    [
      [deployment(pod({}, { livenessProbe: { periodSeconds: '1' } }))],
      /periodSeconds is "1", not a number/,
    ],
    [[deployment({ ...pod(), metadata: { labels: { v: 1 } } })], /labels.v is 1, not a text/],
  ] as const) {
    assert.match(faultsOf(objects).join('\n'), sentence);
  }
});
