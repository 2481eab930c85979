import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseObserved, serviceComponents } from './service-state.ts';

const service = (name: string) => ({
  ...{ unit: `${name}.service`, name, component: 'engine q', role: 'engine' as const },
  healthUrl: 'http://127.0.0.1/health',
});

/** The component of services, each with what its host printed; undefined for a host that does not respond. */
function component(...printed: readonly (string | undefined)[]) {
  const services = printed.map((text, index) => ({
    ...{ host: `h${index}`, service: service(`a${index}`) },
    observed:
      text === undefined
        ? undefined
        : parseObserved(`unit a${index}.service\n${text}`).get(`a${index}.service`),
  }));
  return serviceComponents(services)[0];
}

const running =
  'LoadState=loaded\nActiveState=active\nNRestarts=0\nResult=success\nExecMainStatus=0';

test('services that run and respond are ready', () => {
  const found = component(`${running}\nhealthy`, `${running}\nhealthy`);
  assert.deepEqual(
    [found?.ready, found?.wanted, found?.health, found?.reason],
    [2, 2, 'ready', ''],
  );
});

test('a service that runs and does not respond yet starts, as its log says', () => {
  const log = 'log Loading safetensors checkpoint shards:  40% Completed';
  const found = component(`${running}\n${log}`);
  assert.deepEqual([found?.health, found?.reason], ['starting', 'loading weights, 40 %']);
});

test('a service that ends again and again has failed, with cause and next step of its log', () => {
  const text = `LoadState=loaded\nActiveState=activating\nNRestarts=5\nResult=exit-code\nExecMainStatus=1
log torch.OutOfMemoryError: CUDA out of memory.`;
  const found = component(text, `${running}\nhealthy`);
  assert.deepEqual([found?.ready, found?.health], [1, 'failed']);
  assert.match(found?.reason ?? '', /GPU's memory/);
  assert.match(found?.next ?? '', /maxModelLen/);
  assert.equal(found?.pods[0]?.pod, 'a0.service on h0');
});

test('an end of unknown cause is told with its status', () => {
  const text =
    'LoadState=loaded\nActiveState=failed\nNRestarts=3\nResult=exit-code\nExecMainStatus=203\nlog x';
  assert.equal(component(text)?.reason, 'ended with status 203, 3 times');
});

test('stopped, missing and unreachable services are told apart', () => {
  const stopped = component('LoadState=loaded\nActiveState=inactive\nNRestarts=0');
  const missing = component('LoadState=not-found\nActiveState=inactive\nNRestarts=0');
  const away = component(undefined);
  assert.deepEqual(
    [stopped, missing, away].map((found) => `${found?.health}: ${found?.reason}`),
    [
      'failed: it was stopped',
      'failed: a0.service is not installed on h0',
      'waiting: h0 does not respond',
    ],
  );
});
