// What `spillway up` says when it cannot start.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '../../src/io/processes/index.ts';
import { UpProcess } from '../support/up-process.ts';

test('what cannot start is one sentence', async (context) => {
  const running = await UpProcess.start(['--engines', '1']);
  context.after(() => running.end('SIGKILL'));
  await running.ready();
  const [nobody = 0] = await freePorts(1);
  const cases: readonly [flags: string[], sentence: RegExp, status: number][] = [
    [
      ['--port', String(running.port)],
      /^spillway: port \d+ on 127\.0\.0\.1 is in use: stop .* or choose another port with --port\.\n$/,
      2,
    ],
    [['--gpu', 'H1000'], /^spillway: GPU "H1000" is not in the catalogue; did you mean .*\n$/, 2],
    [['--model', 'no/such'], /^spillway: Model "no\/such" is not in the catalogue; .*\n$/, 2],
    [
      ['--set', 'routerSpec.routingLogic=disaggregated_prefill'],
      /^spillway: routerSpec\.routingLogic disaggregated_prefill is not there yet; .*\n$/,
      2,
    ],
    [['--log-dir', '/proc/logs'], /^spillway: cannot write logs to .*--log-dir\.\n$/, 2],
    [['--log-dir', '/dev/null/logs'], /^spillway: cannot write logs to .*--log-dir\.\n$/, 2],
    [
      ['--engine', `http://127.0.0.1:${nobody}`],
      /^spillway: the engine at http:\/\/127\.0\.0\.1:\d+ does not say .*\(ECONNREFUSED\).*\.\n$/,
      2,
    ],
    [
      ['--set-string', 'servingEngineSpec.modelSpec[0].vllmConfig.extraArgs={--max-num-seqs,0}'],
      /spillway: qwen3-8b died at start \(exit code 2: .*max-num-seqs.*\)\.\n$/,
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
