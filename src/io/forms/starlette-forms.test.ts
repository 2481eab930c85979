// Forms read by Starlette, behind which the engine is: the router must not take one for another.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { formField } from './index.ts';

interface StarletteForm {
  readonly form: string;
  readonly contentType: string;
  readonly body: string;
  readonly starlette: string | null;
}

const forms: readonly StarletteForm[] = JSON.parse(
  readFileSync(join(import.meta.dirname, 'fixtures', 'starlette-forms.json'), 'utf8'),
);

/** Forms that the router reads although Starlette refuses them as a whole: the engine's error reaches the client. */
const refusedByEngine: readonly string[] = [
  "other then disp name*=utf-8''model",
  'frame preamble',
  'frame 101 headers',
  'frame 10 headers',
];

const read = ({ body, contentType }: StarletteForm) =>
  formField(Buffer.from(body, 'latin1'), contentType, 'model');

test('a form has the model that Starlette reads in it, or none', async () => {
  const refused: string[] = [];
  for (const form of forms) {
    const model = await read(form);
    if (model !== undefined && form.starlette === null) refused.push(form.form);
    else if (model !== undefined) assert.equal(model, form.starlette, form.form);
  }
  assert.deepEqual(refused, refusedByEngine);
});

test('forms as clients write them are read', async () => {
  const usual = [
    ...['value m', 'frame no final crlf', 'frame epilogue', 'frame duplicates', 'frame three'],
    ...['type multipart/form-data; boundary="edge"', 'type multipart/form-data;boundary=edge'],
    ...['type multipart/form-data; boundary=edge; charset=utf-8', 'boundary quoted a b'],
    "boundary plain a'()+_,-./:=?b",
  ];
  for (const name of usual) {
    const form = forms.find((one) => one.form === name);
    assert.ok(form?.starlette, name);
    assert.equal(await read(form), form.starlette, name);
  }
});
