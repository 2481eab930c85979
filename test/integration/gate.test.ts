// `spillway gate` and `spillway plan --from-prometheus` where no Prometheus answers, or something else does.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly errors: string;
}

function spillway(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['src/cli/main.ts', ...args],
      { timeout: 60_000 },
      (error, out, errors) => resolve({ code: Number(error?.code ?? 0), out, errors }),
    );
  });
}

const gate = (...args: string[]) => spillway('gate', ...args);

/** The two commands that ask Prometheus. */
const commands = [
  ['gate', '--prometheus'],
  ['plan', '--from-prometheus'],
] as const;

/** Runs what asks a server, and then stops the server. */
async function withServer<T>(listener: RequestListener, run: (url: string) => Promise<T>) {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  try {
    return await run(`http://127.0.0.1:${port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const against = (listener: RequestListener, ...args: string[]) =>
  withServer(listener, (url) => gate('--prometheus', url, ...args));

test('a server that is not there ends with 4 and one sentence', async () => {
  for (const [command, flag] of commands) {
    const { code, out, errors } = await spillway(command, flag, 'http://127.0.0.1:1');
    assert.deepEqual([code, out], [4, '']);
    assert.match(
      errors,
      /^spillway: No response from Prometheus at http:\/\/127\.0\.0\.1:1: .*\.\n$/,
    );
  }
});

const now = Math.floor(Date.now() / 1000);
const success = (data: unknown) => JSON.stringify({ status: 'success', data });
/** What may answer at a URL that is no Prometheus, or at one that is broken. */
const unusable: readonly (readonly [what: string, status: number, body: string])[] = [
  ['a page', 200, '<html>'],
  ['an OpenAI API', 404, '{"error":{"message":"Not Found","code":404}}'],
  ['an API with a list', 200, '[1]'],
  ['null', 200, 'null'],
  ['an error that is an object', 400, '{"status":"error","error":{"detail":"no"}}'],
  ['success without data', 200, '{"status":"success"}'],
  ['data of no type', 200, success({})],
  [
    'a vector for everything',
    200,
    success({ resultType: 'vector', result: [{ metric: { pod: 'a' }, value: [now, '5'] }] }),
  ],
  [
    'a bare vector for everything',
    200,
    success({ resultType: 'vector', result: [{ metric: {}, value: [now, String(now)] }] }),
  ],
  ['an empty vector for everything', 200, success({ resultType: 'vector', result: [] })],
  ['a scalar for everything', 200, success({ resultType: 'scalar', result: [now, String(now)] })],
  ['a scalar that is no number', 200, success({ resultType: 'scalar', result: [now, 'now'] })],
  [
    'a matrix of other things',
    200,
    success({ resultType: 'matrix', result: [{ metric: {}, values: [['x', {}]] }] }),
  ],
  ['a matrix of one null', 200, success({ resultType: 'matrix', result: [null] })],
  ['a failure', 500, '{"status":"error","errorType":"internal","error":"out of memory"}'],
  ['a refusal', 401, 'Unauthorized'],
];

for (const [what, status, body] of unusable) {
  test(`${what} instead of a response of Prometheus ends with 4 and one sentence`, async () => {
    await withServer(
      (_request, response) => response.writeHead(status).end(body),
      async (url) => {
        // To a plan, which asks for values of one moment only, a vector is an answer.
        const asking = / vector for everything$/.test(what) ? commands.slice(0, 1) : commands;
        for (const [command, flag] of asking) {
          const { code, out, errors } = await spillway(command, flag, url);
          assert.deepEqual([code, out], [4, ''], errors);
          assert.match(errors, /^spillway: [^\n]+\.\n$/);
          assert.doesNotMatch(errors, /\[object|undefined|NaN/);
        }
      },
    );
  });
}

test('a server that returns time() as a vector, as VictoriaMetrics does, is a Prometheus', async () => {
  const vector = [{ metric: {}, value: [now, String(now)] }];
  const { code, out } = await against((request, response) => {
    let form = '';
    request.on('data', (text) => {
      form += text;
    });
    request.on('end', () => {
      const query = new URLSearchParams(form).get('query') ?? '';
      const data = query.startsWith('time')
        ? { resultType: 'vector', result: vector }
        : { resultType: query.startsWith('resets') ? 'vector' : 'matrix', result: [] };
      response.end(success(data));
    });
  });
  assert.equal(code, 4);
  assert.match(out, /TOO LITTLE DATA/);
});

test('a query that Prometheus rejects is bad input', async () => {
  const { code, errors } = await against(
    (_request, response) =>
      response
        .writeHead(400)
        .end('{"status":"error","errorType":"bad_data","error":"1:5: parse error"}'),
    ...['--selector', 'x', '--at', '2026-11-22T08:00:00Z'],
  );
  assert.equal(code, 2);
  assert.match(errors, /^spillway: Prometheus rejected .*: 1:5: parse error\.\n$/);
});

test('a server that never answers ends with 4 at the deadline', async () => {
  const { code, errors } = await against(() => {}, '--timeout', '1s');
  assert.equal(code, 4);
  assert.match(errors, /none within 1 s/);
});

test('bad flags end with 2 and say what is allowed', async () => {
  for (const [flags, sentence] of [
    [['--prometheus', 'nowhere'], /"nowhere" is not the URL of a Prometheus server/],
    [['--prometheus', 'http://x', '--max', '92'], /share above 0 and at most 1/],
    [['--prometheus', 'http://x', '--window', 'day'], /duration with its unit, such as 24h/],
    [['--prometheus', 'http://x', '--window', '24'], /duration with its unit, such as 24h/],
    [[], /--prometheus <url>/],
  ] as const) {
    const { code, errors } = await gate(...flags);
    assert.equal(code, 2, errors);
    assert.match(errors, sentence);
  }
});

test('the token goes in a header, not into messages', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'spillway-gate-'));
  const file = join(directory, 'token');
  writeFileSync(file, 'word-1\n');
  let seen: string | undefined;
  const { errors } = await against(
    (request, response) => {
      seen = request.headers.authorization;
      response.writeHead(403).end();
    },
    '--token-file',
    file,
  );
  rmSync(directory, { recursive: true });
  assert.equal(seen, 'Bearer word-1');
  assert.doesNotMatch(errors, /word-1/);
  assert.match(errors, /403 .*--token-file/);
});

test('a token file that holds something else is refused without repeating it', async () => {
  const { code, errors } = await gate('--prometheus', 'http://x', '--token-file', 'README.md');
  assert.equal(code, 2);
  assert.equal(
    errors,
    'spillway: README.md does not contain a token, which must be printable ASCII without spaces.\n',
  );
});
