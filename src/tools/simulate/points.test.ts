import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

test('with data-parallel attention the clients are those of each group', async () => {
  const [groups, alone] = await answers(
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,4,1,16,1024,1024,16',
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,1,1,4,1024,1024,64',
  );
  // The file has one measurement under both names: 27.87 ms.
  const ratio =
    (groups?.['predicted_tpot_ms'] as number) / (alone?.['predicted_tpot_ms'] as number);
  assert.ok(ratio > 0.8 && ratio < 1.25, `${ratio}`);
});

test('a vLLM that plans ahead lets a request wait a step longer', async () => {
  const [old, later, nightly, unknown] = await answers(
    ...['0.12.0', '0.17.0', 'nightly-5b8c30d', ''].map(
      (version) => `h100_sxm,Qwen/Qwen3-8B,bf16,${version},1,1,1,1,1024,512,16`,
    ),
  );
  const ttft = (row: object | undefined) => (row as Record<string, number>)['predicted_ttft_ms'];
  assert.ok((ttft(later) as number) > (ttft(old) as number) + 3);
  assert.deepEqual([ttft(nightly), ttft(unknown)], [ttft(later), ttft(old)]);
});

test('a model may be a folder, and a GPU a file', async () => {
  const folder = join(directory, 'mine');
  mkdirSync(folder);
  const shape = {
    ...{ model_type: 'qwen3', hidden_size: 4096, intermediate_size: 12_288, vocab_size: 151_936 },
    ...{ num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128, num_hidden_layers: 36 },
    ...{ tie_word_embeddings: false, max_position_embeddings: 40_960 },
  };
  writeFileSync(join(folder, 'config.json'), JSON.stringify(shape));
  const gpu = join(directory, 'mine.yaml');
  writeFileSync(
    gpu,
    'name: L40S\nmemory_gib: 44.39\ntflops: 362\nmemory_gb_per_second: 864\n' +
      'link: {kind: PCIe, gb_per_second: 25}\n',
  );
  const [ours, known] = await answers(
    `${gpu},${folder},fp8,,1,1,1,1,1024,256,4`,
    'l40s,Qwen/Qwen3-8B,fp8,,1,1,1,1,1024,256,4',
  );
  assert.equal(ours?.['predicted_tpot_ms'], known?.['predicted_tpot_ms']);
  assert.equal(ours?.['predicted_ttft_ms'], known?.['predicted_ttft_ms']);
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
