// Engines as the router gets them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listening } from '../../../test/support/listening.ts';
import { type EnginePlan, planEngines } from '../../core/launch/index.ts';
import { resolveValues } from '../../core/values/index.ts';
import { freePorts } from '../../io/processes/index.ts';
import { backendOf } from './backends.ts';

function planned(entry: string) {
  const text = `servingEngineSpec: {modelSpec: [${entry}]}`;
  const { values } = resolveValues({ files: [{ name: 'f', text }] });
  return { values, engine: planEngines(values)[0] as EnginePlan };
}

/** The backend of a running engine for which the values name no model. */
function backendAt(url: string) {
  const { values, engine } = planned(`{name: far, urls: ["${url}"]}`);
  return backendOf(engine, undefined, { values, environment: {} });
}

test('an engine that is started here is reached at its port, with KV events where it publishes them', async () => {
  const ports = { http: 1, kvEvents: 2, kvReplay: 3 };
  const backendWith = (more: string) => {
    const { values, engine } = planned(`{name: a, modelURL: org/m${more}}`);
    return backendOf(engine, ports, { values, environment: {} });
  };
  const plain = { name: 'a', url: 'http://127.0.0.1:1', model: 'org/m', kvEvents: undefined };
  assert.deepEqual(await backendWith(''), plain);
  assert.deepEqual(await backendWith(', vllmConfig: {kvEvents: true}'), {
    ...plain,
    kvEvents: { events: 2, replay: 3 },
  });
});

test('a running engine that lists no model is refused with the reason', async (context) => {
  const refused = async (status: number, body: string) => {
    const url = await listening(context, (_, response) => {
      response.writeHead(status).end(body);
    });
    return assert.rejects(backendAt(url), (error: Error) => {
      assert.equal(error.name, 'NoResponseError');
      const [, reason] =
        /does not list its model on .*\/v1\/models \((.*)\):/.exec(error.message) ?? [];
      assert.equal(reason, status === 200 ? 'it lists no model' : `it returned ${status}`);
      return true;
    });
  };
  await refused(503, '{}');
  await refused(200, '{"data":[]}');
  await refused(200, '{"data":[{}]}');
  await refused(200, '{}');
  const [nobody = 0] = await freePorts(1);
  await assert.rejects(
    backendAt(`http://127.0.0.1:${nobody}`),
    /\(ECONNREFUSED\): start it first, or fix its URL/,
  );
});
