import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bodyBounds, scanBody } from './body-scan.ts';

const scanned = (text: string) => scanBody(Buffer.from(text));
const padding = ' '.repeat(200_000);

test('a short body is not looked through', async () => {
  assert.equal(await scanned('{"a":[1,2]}'), undefined);
});

test('values are counted outside of texts, across slices', async () => {
  const text = '\\",[{:'.repeat(500_000);
  const scan = await scanned(`{"a":${JSON.stringify(text)},"b":[1,2,3]${padding}}`);
  assert.equal(scan?.values, 5);
  assert.equal(scan.isTooDeep, false);
});

test('a body is too deep as it is for Python', async () => {
  for (const [levels, isTooDeep] of [
    [990, false],
    [991, true],
  ] as const) {
    const scan = await scanned(`${padding}${'['.repeat(levels)}${']'.repeat(levels)}`);
    assert.equal(scan?.isTooDeep, isTooDeep);
  }
});

test('a body with more than an engine reads is refused', async () => {
  const bodies = {
    values: `[1${',1'.repeat(bodyBounds.values)}]`,
    texts: `[""${',""'.repeat(bodyBounds.texts)}]`,
    fields: `{"a":1${',"a":1'.repeat(bodyBounds.fields)}}`,
    brackets: `[[]${',[]'.repeat(bodyBounds.brackets)}]`,
  };
  for (const [what, body] of Object.entries(bodies)) {
    const words = what === 'brackets' ? 'lists and objects' : what;
    const most = bodyBounds[what as 'values'];
    await assert.rejects(scanned(body), {
      httpStatus: 400,
      message: `The body has more than ${most} ${words}, the most that this engine reads. Send smaller requests.`,
    });
  }
  const scan = await scanned(`[1${',1'.repeat(bodyBounds.values - 1)}]`);
  assert.equal(scan?.values, bodyBounds.values);
});
