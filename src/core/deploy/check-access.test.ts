import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkAccess } from './check-access.ts';

test('a router without a key is found, and what opens it further is named', () => {
  const of = (routerSpec: object) => checkAccess({ routerSpec });
  assert.equal(of({})?.result, 'warning');
  assert.match(of({ serviceType: 'LoadBalancer' })?.detail ?? '', /\(serviceType: LoadBalancer\)$/);
  const opened = of({ host: '0.0.0.0', ingress: { enabled: true } });
  assert.match(opened?.detail ?? '', /\(ingress, host: 0\.0\.0\.0\)$/);
  assert.equal(of({ host: '127.0.0.1' })?.detail.endsWith('can use it'), true);
  assert.equal(of({ apiKey: { secretName: '', secretKey: '' } })?.result, 'warning');
});

test('each way to give a key counts', () => {
  const keys = [
    { apiKey: 'k' },
    { apiKey: { secretName: 's', secretKey: 'k' } },
    { extraArgs: ['--api-key-file', '/keys'] },
    { extraArgs: ['--api-key-file=/keys'] },
  ];
  for (const routerSpec of keys) assert.equal(checkAccess({ routerSpec })?.result, 'ok');
});

test('without values or router there is nothing to check', () => {
  assert.equal(checkAccess(undefined), undefined);
  assert.equal(checkAccess({ routerSpec: { enableRouter: false } }), undefined);
});
