import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { pointJson, readPoints } from './index.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-points-'));
after(() => rmSync(directory, { recursive: true }));

const header =
  'system,model_path,precision,backend_version,tp_size,attention_dp_size,moe_tp_size,moe_ep_size,isl,osl,batch_size';

async function answers(...rows: string[]) {
  const path = join(directory, 'points.csv');
  writeFileSync(path, [header, ...rows, ''].join('\r\n'));
  return (await readPoints(path)).map(pointJson);
}

test('a row has a prediction within its interval, for dense models and mixtures of experts', async () => {
  const found = await answers(
    'h100_sxm,meta-llama/Llama-3.1-70B,fp8,,2,1,2,1,1024,1024,8',
    'b200_sxm,openai/gpt-oss-120b,fp4,0.15.1,2,1,2,1,1024,1024,8',
    'h200_sxm,deepseek-ai/DeepSeek-R1,fp8,,8,1,1,8,1024,1024,8',
  );
  assert.equal(found.length, 3);
  for (const row of found) {
    for (const name of ['ttft', 'tpot']) {
      const value = row[`predicted_${name}_ms`] as number;
      const [low, high] = row[`${name}_interval_ms`] as [number, number];
      assert.ok(0 < low && low < value && value < high, `${name} ${low} ${value} ${high}`);
    }
    assert.equal(row['saturated'], false);
  }
});

test('more clients than the KV cache holds saturate the engine', async () => {
  const found = await answers(
    ...[16, 64].map((clients) => `h100,Llama-3.1-70B,fp8,,2,1,2,1,8192,1024,${clients}`),
  );
  assert.deepEqual(
    found.map(({ saturated }) => saturated),
    [false, true],
  );
});

test('a row without an answer says why, and the others are answered', async () => {
  const [unknown, tooLarge, fine] = await answers(
    'h100_sxm,nobody/Nothing-7B,fp8,,1,1,1,1,1024,1024,4',
    'h100_sxm,meta-llama/Llama-3.1-70B,bf16,,1,1,1,1,1024,1024,4',
    'h100_sxm,Qwen/Qwen3-8B,,,1,1,1,1,1024,1024,4',
  );
  assert.match(String(unknown?.['error']), /not in the catalogue/);
  assert.match(
    String(tooLarge?.['error']),
    /leaves no room for a request of 2048 tokens on 1 × H100/,
  );
  assert.deepEqual([tooLarge?.['predicted_ttft_ms'], fine?.['error']], [null, undefined]);
});

test('a file that is none of points is refused in one sentence', async () => {
  const isInput = (message: RegExp) => (error: unknown) =>
    error instanceof InputError && message.test(error.message);
  const path = join(directory, 'other.csv');
  writeFileSync(path, 'a,b\n1,2\n');
  await assert.rejects(readPoints(path), isInput(/other.csv:1: there is no column system/));
  await assert.rejects(readPoints(join(directory, 'none')), isInput(/Cannot read the points/));
  await assert.rejects(
    answers('h100_sxm,Qwen/Qwen3-8B,,,1,1,1,1,1024,1024,many'),
    isInput(/points.csv:2: batch_size must be a whole number .* "many"/),
  );
  await assert.rejects(
    answers('h100_sxm,Qwen/Qwen3-8B,fp7,,1,1,1,1,1024,1024,4'),
    isInput(/points.csv:2: precision must be one of .* not "fp7"/),
  );
});
