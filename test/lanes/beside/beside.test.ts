// `bench serve --beside-simulation`: what embedded engines do in real time is what the simulation of their values file says.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { promisify } from 'node:util';
import { UpProcess } from '../../support/up-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-beside-'));
after(() => rmSync(directory, { recursive: true }));

/** Largest difference of a mean, as a share of the simulated one. */
const differenceMax = 0.05;
/** Another program that takes the processor makes the live engines late, never early: the best of these counts. */
const triesMax = 4;
const figures = ['mean_ttft_ms', 'mean_tpot_ms', 'mean_e2el_ms', 'request_throughput'] as const;

interface Beside {
  readonly beside_simulation: {
    readonly measured: Readonly<Record<(typeof figures)[number], number>>;
    readonly simulated: Readonly<Record<(typeof figures)[number], number>>;
  };
}

/** Loads whose times are long beside the few milliseconds of HTTP, which the simulation does not have. */
const loads: Readonly<Record<string, readonly string[]>> = {
  'an open loop': ['--request-rate', '2', '--num-prompts', '40'],
  'four users': ['--users', '4', '--num-prompts', '24'],
};

for (const [name, load] of Object.entries(loads)) {
  test(`${name}: TTFT, TPOT, E2E and throughput of two engines are those of the simulation within 5 %`, async (t) => {
    const values = join(directory, 'values.yaml');
    writeFileSync(
      values,
      `servingEngineSpec:
  modelSpec:
    - name: big
      kind: embedded
      modelURL: Qwen/Qwen3-32B
      gpu: A100-80GB
      replicaCount: 2
      vllmConfig: { maxModelLen: 8192 }
routerSpec: { routingLogic: roundrobin }
`,
    );
    const up = await UpProcess.start(['-f', values, '--json']);
    t.after(() => up.end('SIGKILL'));
    await up.ready();
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < triesMax && best > differenceMax; i++) {
      const json = join(directory, `${i}.json`);
      const lengths = ['--random-input-len', '3000', '--random-output-len', '60'];
      await promisify(execFile)(
        process.execPath,
        [
          ...['bin/spillway.mjs', 'bench', 'serve', '--url', up.url, ...load, ...lengths],
          ...['--seed', String(i), '--beside-simulation', values, '--json', json],
        ],
        { timeout: 200_000 },
      );
      const { beside_simulation: beside } = JSON.parse(readFileSync(json, 'utf8')) as Beside;
      const differences = figures.map(
        (figure) => beside.measured[figure] / beside.simulated[figure] - 1,
      );
      t.diagnostic(
        figures
          .map((figure, k) => `${figure} ${(100 * (differences[k] as number)).toFixed(1)} %`)
          .join(', '),
      );
      best = Math.min(best, Math.max(...differences.map(Math.abs)));
    }
    assert.ok(best <= differenceMax, `the best of ${triesMax} runs differs by ${best}`);
  });
}
