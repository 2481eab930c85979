import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import type { RequestRecord } from '../../core/stats/index.ts';
import {
  createRunFolder,
  listRuns,
  readResponses,
  readRun,
  runsJson,
  runsPage,
  runsTable,
} from './index.ts';
import { differences, loadOf } from './run-figures.ts';

const parent = mkdtempSync(join(tmpdir(), 'spillway-runs-'));
after(() => rmSync(parent, { recursive: true }));

const header = (second: number, more: { label?: string; args?: readonly string[] } = {}) => ({
  command: 'bench serve',
  arguments: more.args ?? ['bench', 'serve', '--url', 'http://a', '--request-rate', '4'],
  label: more.label,
  startedAt: new Date(Date.UTC(2026, 0, 2, 3, 4, second)),
  spillway: '1.2.3',
});

function record(sentSeconds: number, error?: RequestRecord['error']): RequestRecord {
  return {
    scheduledSeconds: sentSeconds,
    sentSeconds,
    chunkSeconds: error === undefined ? [sentSeconds + 0.1, sentSeconds + 1.1] : [],
    promptTokens: 10,
    outputTokens: 11,
    cachedTokens: 4,
    engine: 'http://e',
    engineName: 'e-1',
    error,
  };
}

const result = { completed: 2, failed: 1, request_throughput: 2.5, median_ttft_ms: 100 };
const end = {
  status: 0,
  endedAt: new Date(Date.UTC(2026, 0, 2, 3, 5)),
  result,
  environment: { node: '24.1.0', cpu: { count: 2, load: 0.5 } },
};

describe('the folder of a run', () => {
  it('has the result, the environment, and every response', async () => {
    const folder = join(parent, 'one');
    const run = await createRunFolder(folder, header(5, { label: 'night run/1' }));
    run.response(record(0));
    run.response(record(0.5, { kind: 'http_503', message: 'busy' }));
    run.event(0.7, 'point', { rate: 3 });
    await run.finish({ ...end, files: { 'requests.csv': 'a\n' } });
    assert.deepEqual(readdirSync(folder), ['20260102-030405-bench-serve-night-run-1']);
    assert.deepEqual(readdirSync(run.path).sort(), [
      ...['environment.json', 'events.jsonl', 'requests.csv', 'result.json', 'run.json'],
    ]);
    const read = await readRun(run.path);
    assert.deepEqual(
      [read.command, read.label, read.status, read.startedAt],
      ['bench serve', 'night run/1', 0, '2026-01-02T03:04:05.000Z'],
    );
    assert.deepEqual(read.result, result);
    const responses = await readResponses(read);
    assert.deepEqual(
      responses.map(({ at, ttftMs, error }) => [at, ttftMs, error]),
      [
        [0, 100, undefined],
        [0.5, undefined, 'http_503'],
      ],
    );
    assert.equal(readFileSync(join(run.path, 'events.jsonl'), 'utf8').split('\n').length, 4);
  });

  it('of two runs in one second is not shared', async () => {
    const folder = join(parent, 'same');
    const paths = await Promise.all(
      [1, 2, 3].map(async () => (await createRunFolder(folder, header(1))).path),
    );
    assert.equal(new Set(paths).size, 3);
  });

  it('that cannot be written is said at once', async () => {
    writeFileSync(join(parent, 'file'), '');
    await assert.rejects(createRunFolder(join(parent, 'file'), header(1)), (error: Error) => {
      assert.ok(error instanceof InputError);
      assert.match(error.message, /^Cannot write the run to .*file: /);
      return true;
    });
  });
});

describe('runs', () => {
  it('are listed with those that were killed, whose last line is cut off', async () => {
    const folder = join(parent, 'listed');
    const run = await createRunFolder(folder, header(9));
    run.response(record(0));
    await run.finish(end);
    mkdirSync(join(folder, 'other'));
    const killed = join(folder, 'killed');
    mkdirSync(killed);
    writeFileSync(
      join(killed, 'run.json'),
      JSON.stringify({
        format: 1,
        command: 'bench soak',
        arguments: [],
        started_at: '2026-01-01T00:00:00.000Z',
      }),
    );
    writeFileSync(
      join(killed, 'events.jsonl'),
      '{"at":1,"event":"response","ttft_ms":7,"e2el_ms":9}\n{"at":2,"ev',
    );
    const runs = await listRuns(folder, assert.ifError);
    assert.deepEqual(
      runs.map(({ command, status }) => [command, status]),
      [
        ['bench soak', undefined],
        ['bench serve', 0],
      ],
    );
    assert.equal((await readResponses(runs[0] as (typeof runs)[number])).length, 1);
    assert.match(runsTable(runs), /bench soak +killed/);
    const json = runsJson(runs) as { runs: { median_ttft_ms: number | null }[] };
    assert.deepEqual(
      json.runs.map((one) => one.median_ttft_ms),
      [null, 100],
    );
  });

  it('of another version, broken ones and missing folders are refused', async () => {
    const folder = join(parent, 'broken');
    mkdirSync(folder);
    await assert.rejects(readRun(folder), /is not the folder of a run: it has no run\.json/);
    writeFileSync(join(folder, 'run.json'), '{"format": 9}');
    await assert.rejects(readRun(folder), /has format 9; this version reads format 1/);
    writeFileSync(join(folder, 'run.json'), '[');
    await assert.rejects(readRun(folder), /run\.json is not a JSON object/);
    const leftOut: string[] = [];
    const others = await listRuns(parent, ({ message }) => leftOut.push(message));
    assert.deepEqual(
      others.map(({ path }) => path).filter((path) => path === folder),
      [],
    );
    assert.deepEqual(leftOut, [`${join(folder, 'run.json')} is not a JSON object.`]);
    await assert.rejects(
      listRuns(join(parent, 'none'), assert.ifError),
      /^InputError: Cannot read .*none/,
    );
    assert.match(runsTable([]), /^No runs\. Write some with --run-dir/);
  });

  it('have a page with trends, the last against the one before, and what differs', async () => {
    const folder = join(parent, 'page');
    for (const [second, ttft] of [
      [1, 100],
      [2, 120],
    ] as const) {
      const args = ['bench', 'serve', '--url', `http://h${second}`, '--request-rate', '4'];
      const run = await createRunFolder(folder, header(second, { label: `run <${second}>`, args }));
      for (let i = 0; i < 30; i++) run.response(record(i));
      await run.finish({
        ...end,
        result: { ...result, median_ttft_ms: ttft },
        environment: { ...end.environment, node: `24.${second}.0` },
      });
    }
    const runs = await listRuns(folder, assert.ifError);
    const responses = new Map(
      await Promise.all(runs.map(async (run) => [run, await readResponses(run)] as const)),
    );
    const page = runsPage(runs, responses);
    assert.match(page, /<h1>2 runs<\/h1>/);
    assert.match(page, /2 runs of the same load/);
    assert.deepEqual(page.match(/>1\.\d<\/text>/g), null, 'runs are whole numbers');
    assert.match(page, /run &lt;2&gt; against run &lt;1&gt;/);
    assert.match(page, /\+20 %/);
    assert.match(page, /24\.1\.0<\/td><td>24\.2\.0/);
    assert.doesNotMatch(page, /cpu\.load/);
    assert.equal(
      page.match(/Time to first token by the time of sending<\/figcaption>/g)?.length,
      2,
    );
    assert.doesNotMatch(page, /NaN|undefined|https?:\/\/(?!h[12]|www\.w3\.org)/);
  });
});

describe('loads and environments', () => {
  it('are equal without where and when', () => {
    const of = (...args: readonly string[]) =>
      loadOf({ command: 'bench serve', arguments: args } as unknown as Parameters<
        typeof loadOf
      >[0]);
    assert.equal(
      of('--url', 'http://a', '--seed', '1'),
      of('--seed', '1', '--url=http://b', '--label', 'x'),
    );
    assert.notEqual(of('--seed', '1'), of('--seed', '2'));
  });

  it('differ by path', () => {
    assert.deepEqual(
      differences({ a: { b: 1, c: [1] }, load: 1 }, { a: { b: 2, c: [1] }, load: 2, d: null }),
      [{ path: 'a.b', a: '1', b: '2' }],
    );
  });
});
