// How the processes of a stack are started.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planEngines, processGroups } from '../../core/launch/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { engineService, routerService, type ServiceOptions } from './stack-services.ts';

function optionsOf(text: string): ServiceOptions {
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return { values, self: ['node', 'spillway'], environment: {} };
}

const ports = { http: 8001, kvEvents: 8101, kvReplay: 8201 };

function firstEngine(text: string) {
  const options = optionsOf(text);
  const [group] = processGroups(options.values, planEngines(options.values));
  assert.ok(group);
  return engineService(options, group, ports, undefined);
}

test('an embedded engine is this program, and ends with it', () => {
  const spec = firstEngine('servingEngineSpec: {modelSpec: [{name: a, modelURL: org/m}]}');
  assert.deepEqual(
    [spec.name, spec.command, spec.args.slice(0, 4), spec.lifeline, spec.healthUrl],
    [
      'a',
      'node',
      ['spillway', 'engine', '--model', 'org/m'],
      'pipe',
      'http://127.0.0.1:8001/health',
    ],
  );
});

test('engines of one process have its name, and are healthy when the last one listens', () => {
  const spec =
    firstEngine(`servingEngineSpec: {modelSpec: [{name: a, modelURL: org/m, replicaCount: 3}]}
spillway: {engineProcesses: shared}`);
  assert.deepEqual([spec.name, spec.healthUrl], ['a', 'http://127.0.0.1:8003/health']);
});

test('vLLM is the command of the values, guarded, with the time of its startup probe', () => {
  const spec = firstEngine(`servingEngineSpec:
  startupProbe: {initialDelaySeconds: 5, periodSeconds: 10, failureThreshold: 6}
  modelSpec: [{name: v, kind: vllm, modelURL: org/v}]
spillway: {vllmCommand: [my-vllm, serve]}`);
  assert.deepEqual([spec.command, spec.args[0], spec.lifeline], ['my-vllm', 'serve', 'guard']);
  assert.deepEqual([spec.startDeadlineMs, spec.startRetriesMax], [65_000, 1]);
});

test('the router knows the engines’ key, and has the time of its drain delay to stop', () => {
  const routerOf = (engines: string, router = '') =>
    routerService(
      optionsOf(
        `servingEngineSpec: {${engines}modelSpec: [{name: a, modelURL: m}]}\nrouterSpec: {${router}}`,
      ),
      [{ name: 'a', url: 'http://127.0.0.1:8001', model: 'm' }],
      { healthUrl: 'http://127.0.0.1:8000', healthTls: undefined, adminPort: undefined },
    );
  const plain = routerOf('');
  assert.deepEqual([plain.name, plain.env, plain.stopGraceMs], ['router', {}, 10_000]);
  assert.equal(plain.healthUrl, 'http://127.0.0.1:8000/health');
  const args = plain.args.join(' ');
  assert.match(args, /^spillway router .*--static-backends http:\/\/127\.0\.0\.1:8001/);
  assert.doesNotMatch(args, /--plan/);
  const other = routerOf('vllmApiKey: secret, ', 'drainDelay: 5');
  assert.deepEqual([other.env, other.stopGraceMs], [{ VLLM_API_KEY: 'secret' }, 15_000]);
});

test('the router gets the plan that the page shows', () => {
  const { args } = routerService(
    { ...optionsOf('{}'), planFile: '/plans/plan.json' },
    [{ name: 'a', url: 'http://127.0.0.1:8001', model: 'm' }],
    { healthUrl: 'http://127.0.0.1:8000', healthTls: undefined, adminPort: undefined },
  );
  assert.match(args.join(' '), /^spillway router --plan \/plans\/plan\.json /);
});
