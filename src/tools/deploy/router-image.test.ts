import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type RegistryScript, scriptedRegistry } from '../../../test/support/scripted-registry.ts';
import { parseImage } from '../../core/deploy/index.ts';
import { checkRouterImage } from './router-image.ts';

/** Checks an image on nodes with these images, with a registry that has `team/app:1`. */
async function checked(
  t: TestContext,
  written: string,
  nodes: readonly (readonly string[])[] | 'forbidden',
  script: RegistryScript & { readonly url?: string } = {},
) {
  const { url } = await scriptedRegistry(t, script);
  const items =
    nodes === 'forbidden' ? [] : nodes.map((names) => ({ status: { images: [{ names }] } }));
  return checkRouterImage({
    images: [
      { written, reference: parseImage(written), usedBy: ['Deployment vllm-deployment-router'] },
    ],
    cluster: {
      get: async () => {
        if (nodes === 'forbidden') throw new Error('nodes is forbidden');
        return { items };
      },
    },
    urlOf: () => script.url ?? url,
  });
}

const others = [['docker.io/library/other:1'], ['docker.io/library/other:1']];

test('an image that nodes have need not be in a registry', async (t) => {
  const nodes = [['docker.io/library/spillway:0.1.0'], ['docker.io/library/other:1']];
  assert.equal(await checked(t, 'spillway:0.1.0', nodes), 'image spillway:0.1.0: on 1 of 2 nodes');
});

test('an image that its registry has is found there', async (t) => {
  assert.equal(
    await checked(t, 'r.example/team/app:1', others),
    'image r.example/team/app:1: r.example has it',
  );
});

test('an image that neither nodes nor its registry have is an error that says what to do', async (t) => {
  await assert.rejects(checked(t, 'r.example/team/app:2', others), {
    message:
      'The image of the router, r.example/team/app:2, is on none of 2 nodes, and r.example: it does not have it. ' +
      'Build it and push it to a registry that the nodes reach, and set spillway.image.repository and spillway.image.tag.',
  });
  await assert.rejects(
    checked(t, 'spillway:0.1.0', others),
    /none of 2 nodes, and its name has no/,
  );
  await assert.rejects(checked(t, 'localhost/spillway:1', others), /and localhost is no registry/);
});

test('where nothing is known for sure, the deployment goes on', async (t) => {
  const unknown = /whether it exists is not known: /;
  assert.match(`${await checked(t, 'r.example/a:1', others, { status: 401 })}`, unknown);
  assert.match(`${await checked(t, 'r.example/a:1', others, { status: 500 })}`, unknown);
  const url = 'http://127.0.0.1:9';
  assert.match(`${await checked(t, 'r.example/a:1', others, { url })}`, /cannot be reached/);
  assert.match(`${await checked(t, 'spillway:0.1.0', 'forbidden')}`, unknown);
  assert.match(`${await checked(t, 'spillway:0.1.0', [])}`, unknown);
});

test('a stack without a router has no such image', async () => {
  const none = await checkRouterImage({ images: [], cluster: { get: async () => undefined } });
  assert.equal(none, undefined);
});
