import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formField, replaceFormField } from './index.ts';

const contentType = 'multipart/form-data; boundary=edge';
const field = { name: 'model', from: 'alias', to: 'org/model' };
const part = (disposition: string, value: string) =>
  `--edge\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n${value}\r\n`;
const model = part('name="model"', 'alias');

const replaced = (body: string, type = contentType) =>
  replaceFormField(Buffer.from(body), type, field)?.toString();

test('the field gets the new value, and all other bytes stay', () => {
  const before = part('name="file"; filename="alias"', 'RIFF\0--edg\r\n\r\nalias');
  const after = `${part('name="language"', 'alias')}--edge--\r\n`;
  const expected = `${before}${part('name="model"', 'org/model')}${after}`;
  assert.equal(replaced(`${before}${model}${after}`), expected);
});

test('names without quotes, in RFC 5987 form and in other case are found, and several of one name', () => {
  for (const disposition of ['name=model', "name*=utf-8''model", 'NAME="model"']) {
    const body = `${part(disposition, 'alias')}--edge--`;
    assert.equal(replaced(body), body.replace('alias', 'org/model'), disposition);
  }
  const twice = `${model}${model}--edge--`;
  assert.equal(replaced(twice), twice.replaceAll('alias', 'org/model'));
});

test('a file, another value, another field, and a body without boundary are left alone', () => {
  for (const parts of [
    part('name="model"; filename="x"', 'alias'),
    part('name="model"', 'aliased'),
    part('name="models"', 'alias'),
    part('name="x"; other="name=model"', 'alias'),
    part('name="f"; filename="f"', `x--edge\r\n${model.slice(6)}--edge`),
    part('name="f"; filename="f"', `x\r\n--edgeless${model.slice(6)}`),
    '',
  ]) {
    assert.equal(replaced(`${parts}--edge--\r\n`), undefined, parts);
  }
  assert.equal(replaced(model, 'multipart/form-data'), undefined);
});

test('what a router reads from a form that it changed is the new value', async () => {
  const names = fc.constantFrom('model', 'language', 'file', 'prompt');
  const values = fc.constantFrom('alias', 'm', '--edge', '\r\n\r\nalias', '', 'name="model"');
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(names, values)), async (pairs) => {
      const form = new FormData();
      form.append('file', new Blob(['alias']), 'model');
      for (const [name, value] of pairs) form.append(name, value);
      form.append('model', 'alias');
      const request = new Request('http://127.0.0.1', { method: 'POST', body: form });
      const type = request.headers.get('content-type') ?? '';
      const body = Buffer.from(await request.arrayBuffer());
      const changed = replaceFormField(body, type, field);
      assert.ok(changed);
      assert.equal(await formField(changed, type, 'model'), 'org/model');
      assert.equal(await formField(changed, type, 'prompt'), await formField(body, type, 'prompt'));
    }),
  );
});
