import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formField } from './index.ts';

const contentType = 'multipart/form-data; boundary=edge';

test('finds the field among files and other fields', async () => {
  const form = new FormData();
  form.append('file', new Blob(['RIFF\r\n--x\r\n\0']), 'speech.wav');
  form.append('language', 'en');
  form.append('model', 'whisper-large-v3');
  const request = new Request('http://127.0.0.1', { method: 'POST', body: form });
  const type = request.headers.get('content-type') ?? '';
  const body = new Uint8Array(await request.arrayBuffer());
  assert.equal(await formField(body, type, 'model'), 'whisper-large-v3');
  assert.equal(await formField(body, type, 'language'), 'en');
  assert.equal(await formField(body, type, 'prompt'), undefined);
});

const found: Readonly<Record<string, string>> = {
  'a file called model is a file': part('name="file"; filename="model"', 'BYTES') + model('m'),
  'a file name that looks like a field':
    part('name="f"; filename="\\"; name=\\"model"', 'x') + model('m'),
  'a file that holds a part':
    part('name="f"; filename="f"', `\r\n\r\n${'name="model"'}\r\n\r\nevil`) + model('m'),
  'a nested form':
    part('name="a"', '--in\r\nContent-Disposition: form-data; name="model"\r\n\r\nevil\r\n--in--') +
    model('m'),
  'a name without quotes': part('name=model', 'm'),
  'a name in RFC 5987 form': part("name*=utf-8''model", 'm'),
  'headers in other case': '--edge\r\ncontent-disposition: FORM-DATA; NAME="model"\r\n\r\nm\r\n',
  'a field with a content type': part(
    'name="model"',
    'm',
    'Content-Type: application/octet-stream\r\n',
  ),
  'the last of two': model('first') + model('m'),
  'text before the first part': `a note\r\n${model('m')}`,
};

for (const [what, parts] of Object.entries(found)) {
  test(`${what}: the model is m`, async () => {
    assert.equal(await read(`${parts}--edge--\r\n`), 'm');
  });
}

const absent: Readonly<Record<string, string>> = {
  'a file named model': `${part('name="model"; filename="x"', 'm')}--edge--\r\n`,
  'a form that stops early': model('m'),
  'an empty body': '',
  'lines that end in LF only':
    '--edge\nContent-Disposition: form-data; name="model"\n\nm\n--edge--\n',
  'a value beyond the bound': `${model('m'.repeat(1025))}--edge--\r\n`,
  'a part head beyond the bound': `${part(`x="${'y'.repeat(20_000)}"; name="model"`, 'm')}--edge--\r\n`,
  'more empty parts than the bound': `${'--edge\r\n'.repeat(1002)}${model('m')}--edge--\r\n`,
  'more parts than the bound': `${part('name="a"', 'v').repeat(1000)}${model('m')}--edge--\r\n`,
};

for (const [what, body] of Object.entries(absent)) {
  test(`${what}: there is no model`, async () => {
    assert.equal(await read(body), undefined);
  });
}

test('finds no field if the boundary is missing, empty, too long or another one', async () => {
  const body = Buffer.from(`${model('m')}--edge--\r\n`);
  for (const type of [
    undefined,
    'multipart/form-data',
    'multipart/form-data; boundary=',
    `multipart/form-data; boundary=${'edge'.repeat(10_000)}`,
    'multipart/form-data; boundary=other',
    'application/json',
  ]) {
    assert.equal(await formField(body, type, 'model'), undefined, type?.slice(0, 60));
  }
  assert.equal(await formField(body, 'Multipart/Form-Data; a=b; Boundary="edge"', 'model'), 'm');
});

test('finds no model in a form that is truncated anywhere, and returns', async () => {
  const whole = `${part('name="file"; filename="f.wav"', 'BYTES')}${model('m')}--edge--`;
  for (let length = 0; length < whole.length - 2; length++) {
    assert.equal(await read(whole.slice(0, length)), undefined, `${length} bytes`);
  }
});

test('returns for any bytes without throwing', async () => {
  const piece = fc.constantFrom(
    '--edge',
    '--edge--',
    '\r\n',
    '\r',
    '\n',
    'Content-Disposition: form-data',
    '; name="model"',
    '; filename="',
    'x',
    ':',
    '"',
    ' ',
  );
  await fc.assert(
    fc.asyncProperty(fc.array(piece, { maxLength: 60 }), async (pieces) => {
      await read(pieces.join(''));
    }),
  );
});

test('takes time linear in the length of the body', async () => {
  const seconds = async (bytes: number): Promise<number> => {
    const body = Buffer.from(
      `${part('name="f"; filename="f"', '\r\n--edg'.repeat(bytes / 7))}${model('m')}--edge--`,
    );
    const start = process.cpuUsage().user;
    assert.equal(await formField(body, contentType, 'model'), 'm');
    return (process.cpuUsage().user - start) / 1e6;
  };
  await seconds(1e5);
  // The larger body has sixteen times the bytes: linear time gives a factor of 16, quadratic time
  // 256.
  const [small, large] = [await seconds(1e6), await seconds(16e6)];
  assert.ok(large < 80 * Math.max(small, 0.005), `${small} s and ${large} s`);
});

test('a form with a large part without headers is refused, not waited for', async () => {
  const body = `--edge\r\n\r\n${'x'.repeat(100_000)}\r\n${model('m')}--edge--`;
  const late = new Promise((resolve) => setTimeout(() => resolve('nothing'), 5_000).unref());
  assert.equal(await Promise.race([read(body), late]), undefined);
});

function read(body: string): Promise<string | undefined> {
  return formField(Buffer.from(body), contentType, 'model');
}

function part(disposition: string, value: string, headers = ''): string {
  return `--edge\r\nContent-Disposition: form-data; ${disposition}\r\n${headers}\r\n${value}\r\n`;
}

function model(value: string): string {
  return part('name="model"', value);
}
