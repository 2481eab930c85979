// What `spillway up` says when it cannot start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '../../src/io/processes/index.ts';
import { UpProcess } from '../support/up-process.ts';

test('a stack that cannot start reports one sentence', async (context) => {
  const running = await UpProcess.start(['--engines', '1']);
  context.after(() => running.end('SIGKILL'));
  await running.ready();
  const [nobody = 0] = await freePorts(1);
  const cases: readonly [flags: string[], sentence: RegExp, status: number][] = [
    [
      ['--port', String(running.port)],
      /^spillway: Port \d+ on 127\.0\.0\.1 is in use; stop .* or choose another port with --port\.\n$/,
      2,
    ],
    [['--gpu', 'H1000'], /^spillway: GPU "H1000" is not in the catalogue; did you mean .*\n$/, 2],
    [
      ['--model', 'gpt-4o'],
      /^spillway: Model "gpt-4o" is not in the catalogue; the nearest models are openai\/gpt-oss-20b, .* with --stand-in openai\/gpt-oss-20b\.\n$/,
      2,
    ],
    [
      ['--model', 'gpt-4o', '--stand-in', 'huge'],
      /^spillway: Model "huge" is not in the catalogue; did you mean .*\n$/,
      2,
    ],
    [
      ['--set', 'routerSpec.routingLogic=disaggregated_prefill'],
      /^spillway: servingEngineSpec\.modelSpec "qwen3-8b" does not say whether it prefills or decodes: .*\n$/,
      2,
    ],
    [['my.yaml'], /^spillway: up takes no file argument: use -f my\.yaml\.\n$/, 2],
    [['--plain', '3'], /^spillway: up takes flags only, not "3"; see spillway up --help\.\n$/, 2],
    [['--log-dir', '/proc/logs'], /^spillway: cannot write logs to .*--log-dir\.\n$/, 2],
    [['--log-dir', '/dev/null/logs'], /^spillway: cannot write logs to .*--log-dir\.\n$/, 2],
    [
      ['--engine', `http://127.0.0.1:${nobody}`],
      /^spillway: the engine at http:\/\/127\.0\.0\.1:\d+ does not list its model .*\(ECONNREFUSED\).*\.\n$/,
      4,
    ],
    [
      ['--set-string', 'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--max-num-seqs,0}'],
      /extraArgs: --max-num-seqs is "0"; it must be an integer of at least 1\.\n$/,
      2,
    ],
    [
      ['--set-string', 'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--lora-modules,a=b}'],
      /spillway: qwen3-8b failed to start \(exit code 2: .*--lora-modules needs --enable-lora.*\)\.\n$/,
      1,
    ],
  ];
  for (const [flags, sentence, status] of cases) {
    const up = await UpProcess.start(['--engines', '1', ...flags]);
    assert.equal(await up.exited(), status, up.stderr);
    assert.match(up.stderr, sentence);
  }
  await running.end();
});

test('up lists the keys that it ignores and a real deployment would apply, and counts the others', async () => {
  const entry = 'servingEngineSpec.modelSpec[0]';
  const up = await UpProcess.start([
    ...['--set', `${entry}.lmcacheConfig.enablePD=true`, '--set', `${entry}.requestCPU=4`],
    // Refused after the notes, so that nothing is started.
    ...['--set', 'routerSpec.routingLogic=disaggregated_prefill'],
  ]);
  assert.equal(await up.exited(), 2);
  const [pd, rest] = up.stderr.split('\n');
  assert.match(pd ?? '', /lmcacheConfig\.enablePD has no effect here: /);
  assert.equal(
    rest,
    'spillway: 1 key has no effect here; "spillway config validate" gives the reasons.',
  );
});
