// `spillway router` as a process: its signals, and what it says of its flags.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { startScriptedEngine } from '../support/scripted-engine.ts';
import { until } from '../support/until.ts';

const main = join(import.meta.dirname, '..', '..', 'bin', 'spillway.mjs');

test('the first Ctrl-C lets a request in flight finish, the second exits at once', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  const router = spawn(
    process.execPath,
    [main, 'router', '--port', '0', '--static-backends', engine.url, '--log-level', 'info'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(async () => {
    router.kill('SIGKILL');
    await engine.close();
  });
  let output = '';
  const said = async (pattern: RegExp) => {
    while (!pattern.test(output)) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(router.exitCode, null, output);
    }
    return pattern.exec(output) as RegExpExecArray;
  };
  for (const stream of [router.stdout, router.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  const [, url] = await said(/router: (http:\S+)/);
  await said(/is live/);
  const answer = fetch(`${url}/v1/completions`, {
    method: 'POST',
    body: '{"model":"m","prompt":"Hi"}',
  }).then(
    () => 'answered',
    () => 'cut',
  );
  while (engine.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const exited = once(router, 'exit');
  router.kill('SIGINT');
  await said(/finishing the requests in flight/);
  assert.equal(engine.sockets.size > 0, true, 'the request is still under way');
  // At once it would be the same Ctrl-C, as npm and the terminal both pass it on.
  await new Promise((resolve) => setTimeout(resolve, 600));
  router.kill('SIGINT');
  assert.deepEqual(await exited, [130, null]);
  assert.equal(await answer, 'cut');
});

test('a parameter of another policy is reported in the log, and the router starts', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  const router = spawn(
    process.execPath,
    [
      ...[main, 'router', '--port', '0', '--static-backends', engine.url],
      ...['--routing-logic', 'kvaware', '--kv-aware-threshold', '5'],
      ...['--prefix-min-match-length', '7'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(async () => {
    router.kill('SIGKILL');
    await engine.close();
  });
  let log = '';
  router.stderr.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  await once(router.stdout, 'data');
  while (!/is live/.test(log)) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(log.match(/--\S+ has no effect.*/g), [
    '--prefix-min-match-length has no effect: it is a parameter of prefixaware, and --routing-logic is kvaware.',
  ]);
});

test('exactly one flag lists the engines; contradictory flags and missing files are refused in one sentence', async () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [[], 'No engines are named: give --static-backends.'],
    [['--service-discovery', 'dns'], 'No engines are named: give --engines-dns.'],
    [
      ['--static-backends', 'http://a', '--engines-file', 'x.yaml'],
      '--static-backends and --engines-file exclude each other: give one of them.',
    ],
    [
      ['--service-discovery', 'static', '--engines-dns', 'a://b:1'],
      '--service-discovery static needs --static-backends, not --engines-dns.',
    ],
    [
      ['--service-discovery', 'consul'],
      '--service-discovery must be one of static, file, dns, k8s, not "consul".',
    ],
    [
      ['--service-discovery', 'k8s', '--engines-dns', 'a://b:1'],
      '--service-discovery k8s excludes --engines-dns.',
    ],
    [
      ['--service-discovery', 'k8s', '--k8s-port', 'http'],
      '--k8s-port must be a whole number from 1 to 65535, not "http".',
    ],
    [
      ['--dynamic-config-yaml', 'a', '--dynamic-config-json', 'b'],
      '--dynamic-config-yaml and --dynamic-config-json exclude each other.',
    ],
    [
      ['--static-backends', 'http://a,http://b', '--static-names', 'x'],
      '--static-names has 1 entry, --static-backends 2: give one name per engine, or omit --static-names.',
    ],
    [
      ['--static-backends', 'http://a,http://b', '--static-names', 'x,x'],
      'Two engines have the name "x".',
    ],
    [
      ['--engines-file', 'x.yaml', '--static-names', 'x'],
      '--static-names names the engines of --static-backends: give both.',
    ],
    [['--engines-file', '/no/such/file'], '/no/such/file: no such file or folder; check the path.'],
    [
      ['--static-backends', 'http://a', '--tokenizer', 'm=/no/such/folder'],
      '--tokenizer: there is no folder or file /no/such/folder; check the path.',
    ],
    [
      ['--static-backends', 'http://a', '--tls-cert', '/no/such/file', '--tls-key', 'key.pem'],
      'The TLS file /no/such/file cannot be read: no such file or folder; check the path.',
    ],
    [
      ['--static-backends', 'http://a', '--port', '9000', '--admin-port', '9000'],
      '--admin-port and --port are both 9000; choose two ports.',
    ],
    [
      ['--static-backends', 'http://a', '--routing-logic', 'disaggregated_prefill'],
      '--routing-logic disaggregated_prefill needs --prefill-model-labels and --decode-model-labels: the labels of the engines that prefill and of those that decode.',
    ],
    [
      ['--static-backends', 'http://a', ...roles('p', 'd')],
      '--prefill-model-labels needs the label of each engine of --static-backends: give --static-model-labels.',
    ],
    [
      ['--static-backends', 'http://a,http://b', '--static-model-labels', 'p', ...roles('p', 'd')],
      '--static-model-labels has 1 entry, --static-backends 2: give one label per engine.',
    ],
    [
      ['--static-backends', 'http://a', '--static-model-labels', 'p', ...roles('p', 'p')],
      '"p" is among --prefill-model-labels and --decode-model-labels; an engine has one role.',
    ],
    [
      [
        '--static-backends',
        'http://a,http://b',
        '--static-model-labels',
        'p,q',
        ...roles('p', 'd'),
      ],
      'No engine has a label of --decode-model-labels: --static-model-labels has p, q.',
    ],
  ];
  for (const [flags, message] of cases) {
    const router = spawn(process.execPath, [main, 'router', '--port', '0', ...flags]);
    let log = '';
    router.stderr.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
    const [code] = await once(router, 'close');
    assert.deepEqual([code, log.trim()], [2, `spillway: ${message}`]);
  }
});

test('engines are named by --static-names, else after --static-models, else by their address', async (t) => {
  const engine = await startScriptedEngine();
  t.after(() => engine.close());
  const cases: readonly (readonly [readonly string[], string])[] = [
    [['--static-models', 'org/Model-7B', '--static-names', 'mine'], `mine (${engine.url})`],
    [['--static-models', 'org/Model-7B'], `model-7b-1 (${engine.url})`],
    [[], engine.url],
  ];
  for (const [flags, label] of cases) {
    const args = [main, 'router', '--port', '0', '--static-backends', engine.url, ...flags];
    const router = spawn(process.execPath, args);
    t.after(() => router.kill('SIGKILL'));
    let log = '';
    router.stderr.setEncoding('utf8').on('data', (text) => {
      log += text;
    });
    await until(() => log.includes(`engine ${label} is live`));
    router.kill('SIGTERM');
    await once(router, 'close');
  }
});

test('a router follows the file that lists its engines', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'spillway-router-'));
  const engines = [await startScriptedEngine(), await startScriptedEngine()];
  const path = join(folder, 'engines.yaml');
  const write = (url: string | undefined) => writeFile(path, `engines:\n  - url: ${url}\n`);
  await write(engines[0]?.url);
  const flags = ['--port', '0', '--engines-file', path];
  const router = spawn(process.execPath, [main, 'router', ...flags]);
  t.after(async () => {
    router.kill('SIGKILL');
    for (const engine of engines) await engine.close();
    await rm(folder, { recursive: true });
  });
  const [line] = await once(router.stdout.setEncoding('utf8'), 'data');
  const url = /router: (http:\S+)/.exec(line)?.[1];
  const named = async () => {
    const views = (await (await fetch(`${url}/engines`)).json()) as { readonly url: string }[];
    return views.map((view) => view.url);
  };
  assert.deepEqual(await named(), [engines[0]?.url]);
  await write(engines[1]?.url);
  await until(async () => (await named()).join() === engines[1]?.url);
});

function roles(prefill: string, decode: string): string[] {
  return ['--prefill-model-labels', prefill, '--decode-model-labels', decode];
}

test('upstream’s flags without effect are one line each, and --log-stats one line per interval', async (t) => {
  const engine = await startScriptedEngine({ onRequest: () => {} });
  const router = spawn(
    process.execPath,
    [
      ...[main, 'router', '--port', '0', '--static-backends', engine.url],
      ...['--static-model-types', 'chat', '--sentry-dsn', 'x', '--enable-batch-api'],
      ...['--callbacks', 'module.instance', '--feature-gates', 'PIIDetection=true'],
      ...['--external-providers-config', 'x.yaml', '--log-stats', '--log-stats-interval', '1'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  t.after(async () => {
    router.kill('SIGKILL');
    await engine.close();
  });
  let log = '';
  router.stderr.setEncoding('utf8').on('data', (text) => {
    log += text;
  });
  await until(() => (log.match(/INFO: statistics after/g) ?? []).length >= 2);
  assert.match(
    log,
    /INFO: statistics after 1 s: \S+:\d+ \[m\] live, running 0, queued 0, cache hit rate 0\.00, QPS 0\.00/,
  );
  assert.deepEqual(
    Array.from(log.matchAll(/(INFO|WARNING): --(\S+)/g), ([, level, flag]) => `${level} ${flag}`),
    [
      'INFO static-model-types',
      'WARNING sentry-dsn',
      'WARNING enable-batch-api',
      'WARNING callbacks',
      'WARNING feature-gates',
      'WARNING external-providers-config',
    ],
  );
});

test('a router with external providers only starts without engines, and says so', async (t) => {
  const router = spawn(
    process.execPath,
    [main, 'router', '--port', '0', '--service-discovery', 'external-only'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  t.after(() => router.kill('SIGKILL'));
  let output = '';
  for (const stream of [router.stdout, router.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  await until(() => /router: http/.test(output));
  assert.match(output, /WARNING: External providers are not here, so this router has no engines/);
});
