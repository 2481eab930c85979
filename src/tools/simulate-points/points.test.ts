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

test('a run of aiconfigurator repeats 100 prompts, which the prefix cache keeps', async () => {
  const rows = await answers(
    'h200_sxm,nvidia/Llama-3.1-8B-Instruct-FP8,fp8,0.12.0,4,,1,1,4000,100,64',
    'h200_sxm,nvidia/Llama-3.1-8B-Instruct-FP8,fp8,0.12.0,4,1,1,1,4000,100,64',
  );
  const [repeated, distinct] = rows.map((row) => row['predicted_tpot_ms'] as number);
  // Measured: 7.52 ms. No engine computes that many prompts between the tokens of 64 clients.
  assert.ok(Math.abs((repeated as number) / 7.52 - 1) < 0.2, `${repeated}`);
  assert.ok((distinct as number) > 2 * (repeated as number), `${distinct}`);
});

test('a run of aiconfigurator counts the clients of all its data-parallel groups', async () => {
  const rows = await answers(
    'h200_sxm,Qwen/Qwen3-235B-A22B-FP8,fp8,0.12.0,1,,4,1,2000,100,5',
    'h200_sxm,Qwen/Qwen3-235B-A22B-FP8,fp8,0.12.0,2,,4,1,4000,100,8',
  );
  const found = rows.map((row) => row['predicted_tpot_ms'] as number);
  // As the clients of each group they would compute four and two times the prompts: 52 and 58 ms.
  for (const [i, measured] of [42.56, 45.46].entries()) {
    assert.ok(Math.abs((found[i] as number) / measured - 1) < 0.15, `${found[i]} ${measured}`);
  }
});

test('a run of aiconfigurator has one length, so its clients wait where all at full length do not fit', async () => {
  const row = (groups: string, outputTokens: number) =>
    `h100_sxm,Qwen/Qwen3-32B,,0.12.0,2,${groups},1,1,4096,${outputTokens},64`;
  const [fits, waits, other] = await answers(row('', 512), row('', 1024), row('1', 1024));
  // Measured: 2.1 and 4.4 s. 64 × 5,120 tokens are 1.08 of the KV cache, of 0.9 of that length 0.97.
  assert.deepEqual([fits?.['saturated'], waits?.['saturated']], [false, true]);
  assert.ok((waits?.['predicted_ttft_ms'] as number) > 3000);
  assert.equal(other?.['saturated'], false);
});

test('the column distinct_prompts says how many prompts the clients repeat', async () => {
  const path = join(directory, 'repeated.csv');
  const row = 'h200_sxm,Qwen/Qwen3-8B,bf16,4000,100,32';
  writeFileSync(
    path,
    `system,model_path,precision,isl,osl,batch_size,distinct_prompts\n${row},\n${row},10000\n${row},20\n`,
  );
  const [all, many, few] = (await readPoints(path)).map(
    (point) => pointJson(point)['predicted_tpot_ms'] as number,
  );
  assert.ok((few as number) < 0.5 * (all as number), `${few} ${all}`);
  assert.ok(Math.abs((many as number) / (all as number) - 1) < 0.1, `${many} ${all}`);
});

test('a vLLM without a version sums in a ring on Blackwell, also after a row of a later one', async () => {
  const [later, old, onHopper, oldOnHopper] = await answers(
    'b200_sxm,meta-llama/Llama-3.1-70B,fp8,0.12.0,8,1,8,1,8192,1024,16',
    'b200_sxm,meta-llama/Llama-3.1-70B,fp8,,8,1,8,1,8192,1024,16',
    'h100_sxm,meta-llama/Llama-3.1-70B,fp8,0.12.0,8,1,8,1,8192,1024,16',
    'h100_sxm,meta-llama/Llama-3.1-70B,fp8,,8,1,8,1,8192,1024,16',
  );
  const ttft = (row: object | undefined) =>
    (row as Record<string, number>)['predicted_ttft_ms'] as number;
  assert.ok(ttft(old) > 1.1 * ttft(later), `${ttft(old)} ${ttft(later)}`);
  assert.equal(ttft(oldOnHopper), ttft(onHopper));
});

test('with DeepGEMM a step reads all experts, so that the TPOT hardly depends on the clients', async () => {
  const tpot = async (...rows: string[]) =>
    (await answers(...rows)).map((row) => row['predicted_tpot_ms'] as number);
  const model = 'h200_sxm,Qwen/Qwen3-235B-A22B-FP8,fp8';
  const [few, many] = await tpot(
    `${model},0.12.0,4,,4,1,8000,2000,16`,
    `${model},0.12.0,4,,4,1,1000,2000,48`,
  );
  // Measured: 33.7 and 36.9 ms.
  for (const [found, measured] of [[few, 33.73] as const, [many, 36.85] as const]) {
    assert.ok(Math.abs((found as number) / measured - 1) < 0.12, `${found} ${measured}`);
  }
  const [later, shared, onBlackwell] = await tpot(
    `${model},0.16.0,2,,2,1,1000,1000,4`,
    `${model},0.12.0,8,,8,1,1000,1000,4`,
    'b200_sxm,Qwen/Qwen3-235B-A22B-FP8,fp8,0.12.0,2,,2,1,1000,1000,4',
  );
  const [padded, beforeIt, withoutIt, without] = await tpot(
    `${model},0.12.0,2,,2,1,1000,1000,4`,
    `${model},0.11.0,2,,2,1,1000,1000,4`,
    `${model},0.16.0,8,,8,1,1000,1000,4`,
    'b200_sxm,Qwen/Qwen3-235B-A22B-FP8,fp8,0.16.0,2,,2,1,1000,1000,4',
  );
  assert.ok((padded as number) > 2 * (later as number), `${padded} ${later}`);
  assert.ok((padded as number) > 2 * (beforeIt as number), `${padded} ${beforeIt}`);
  // Triton computes the experts on 8 GPUs and on Blackwell.
  for (const [one, other] of [[shared, withoutIt] as const, [onBlackwell, without] as const]) {
    assert.ok(Math.abs((one as number) / (other as number) - 1) < 0.1, `${one} ${other}`);
  }
});

test('512 clients that a sweep’s old server knew nothing of wait for a batch that the row does not name', async () => {
  const rows = await answers(
    'h100_sxm,openai/gpt-oss-120b,fp4,0.11.2,2,1,2,1,1024,8192,512',
    'h100_sxm,openai/gpt-oss-120b,fp4,0.11.2,8,1,8,1,8192,1024,512',
    'h100_sxm,openai/gpt-oss-120b,fp4,0.18.0,2,1,2,1,1024,8192,512',
  );
  // Measured: 14.77 ms and 462 s, as with a batch of 64; 4.45 ms and 19.7 s, as with one of 4 or 8.
  for (const [i, [tpot, ttft]] of [[14.77, 462_053] as const, [4.45, 19_692] as const].entries()) {
    const row = rows[i] as Record<string, unknown>;
    for (const [name, measured] of [['tpot', tpot] as const, ['ttft', ttft] as const]) {
      const [low, high] = row[`${name}_interval_ms`] as [number, number];
      assert.ok(low < measured && measured < high, `${name} ${low} ${measured} ${high}`);
    }
    // Ten requests for each place: a request waits for four and a half others, whatever the batch is.
    const share = (row['predicted_ttft_ms'] as number) / (row['predicted_tpot_ms'] as number);
    assert.ok(Math.abs(share / (ttft / tpot) - 1) < 0.15, `${share}`);
    assert.equal(row['saturated'], true);
  }
  const ttft = (row: object | undefined) => (row as Record<string, number>)['predicted_ttft_ms'];
  assert.ok((ttft(rows[2]) as number) < 0.2 * (ttft(rows[0]) as number));
});

test('an engine that is labelled as n groups with experts on n² GPUs has tensor parallelism', async () => {
  const rows = await answers(
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,4,1,16,1024,1024,16',
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,1,1,4,1024,1024,64',
  );
  const [{ attention_dp_size: _, batch_size, ...groups }, { attention_dp_size: __, ...alone }] =
    rows.map(({ row, ...answer }) => answer) as [Record<string, unknown>, Record<string, unknown>];
  assert.equal(batch_size, 16);
  assert.deepEqual({ ...groups, batch_size: 64 }, alone);
});

test('short prompts cost less where the script lets CUDA graphs hold them', async () => {
  const ttft = async (...rows: string[]) =>
    (await answers(...rows)).map((row) => row['predicted_ttft_ms'] as number);
  // The same vLLM: with experts over the GPUs it was measured before the script had the flags, and without after.
  const [before, after] = await ttft(
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,1,1,4,1024,1024,4',
    'b200_sxm,moonshotai/Kimi-K2.5,fp4,0.17.0,4,1,4,1,1024,1024,4',
  );
  // Measured: 177 and 82 ms.
  assert.ok(Math.abs((before as number) / 177 - 1) < 0.25, `${before}`);
  assert.ok(Math.abs((after as number) / 82 - 1) < 0.25, `${after}`);
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
  const [unknown, tooLarge, fine, uneven, many, precision, noModel] = await answers(
    'h100_sxm,nobody/Nothing,fp8,,1,1,1,1,1024,1024,4',
    'h100_sxm,meta-llama/Llama-3.1-70B,bf16,,1,1,1,1,1024,1024,4',
    'h100_sxm,Qwen/Qwen3-8B,,,1,1,1,1,1024,1024,4',
    'h100_sxm,Qwen/Qwen3-8B,,,3,1,3,1,1024,1024,4',
    'h100_sxm,Qwen/Qwen3-8B,,,1,1,1,1,1024,1024,many',
    'h100_sxm,Qwen/Qwen3-8B,fp7,,1,1,1,1,1024,1024,4',
    'h100_sxm,,fp8,,1,1,1,1,1024,1024,4',
  );
  assert.match(String(unknown?.['error']), /not in the catalogue/);
  assert.match(String(uneven?.['error']), /32 attention heads, which 3 GPUs .* cannot share/);
  assert.match(String(many?.['error']), /batch_size must be a whole number .* "many"/);
  assert.deepEqual([many?.['row'], many?.['batch_size'], many?.['saturated']], [5, 'many', null]);
  assert.match(String(precision?.['error']), /precision must be .* not "fp7"/);
  assert.match(String(noModel?.['error']), /model_path is empty/);
  assert.match(
    String(tooLarge?.['error']),
    /leaves no space for a request of 2048 tokens on 1 × H100/,
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
});

test('quoted cells, other columns, other line ends and other words for empty change nothing', async () => {
  const path = join(directory, 'spelled.csv');
  const read = async (text: string) => {
    writeFileSync(path, text);
    return (await readPoints(path)).map(pointJson);
  };
  const plain = await read(
    'system,model_path,precision,tp_size,isl,osl,batch_size\nh100_sxm,Qwen/Qwen3-8B,bf16,1,1024,128,4\n',
  );
  for (const text of [
    'osl,Model_Path,batch_size,isl,system\r\n128,"Qwen/Qwen3-8B",4.0,1024,H100\r\n\r\n',
    '\uFEFF"system","model_path",note,"precision",tp_size,attention_dp_size,isl,osl,batch_size\n' +
      '"h100_sxm","Qwen/Qwen3-8B","a ""quoted"", comma",NaN,1.0,nan,1024,128,4',
  ]) {
    const [row] = await read(text);
    assert.equal(row?.['error'], undefined);
    assert.equal(row?.['predicted_ttft_ms'], plain[0]?.['predicted_ttft_ms']);
    assert.equal(row?.['predicted_tpot_ms'], plain[0]?.['predicted_tpot_ms']);
  }
});

test('the precision of a row wins over the checkpoint’s, which an empty cell takes', async () => {
  const row = (model: string, precision: string) =>
    `h100_sxm,${model},${precision},,2,1,2,1,1024,128,4`;
  const found = await answers(
    row('Qwen/Qwen3-32B-FP8', ''),
    row('Qwen/Qwen3-32B', 'FP8_block'),
    row('Qwen/Qwen3-32B', 'int8'),
    row('Qwen/Qwen3-32B', ''),
    row('Qwen/Qwen3-32B-FP8', 'bfloat16'),
    row('Qwen/Qwen3-32B', 'awq'),
    row('openai/gpt-oss-120b', ''),
    row('openai/gpt-oss-120b', 'w4a16_mxfp4'),
  );
  assert.deepEqual(
    found.map(({ precision }) => precision),
    ['fp8', 'fp8', 'fp8', 'bf16', 'bf16', 'int4', 'fp4', 'fp4'],
  );
  const tpot = found.map((answer) => answer['predicted_tpot_ms'] as number);
  assert.equal(tpot[0], tpot[1]);
  assert.equal(tpot[3], tpot[4]);
  assert.ok((tpot[5] as number) < (tpot[0] as number) && (tpot[0] as number) < (tpot[3] as number));
});

test('an unknown model of a known maker is guessed from the size in its name, with a wider interval', async () => {
  const [guessed, like, refused] = await answers(
    'h100_sxm,nobody/Foo-Qwen3-34B-chat,fp8,,2,1,2,1,1024,128,4',
    'h100_sxm,Qwen/Qwen3-32B,fp8,,2,1,2,1,1024,128,4',
    'h100_sxm,nobody/Foo-34B-chat,fp8,,2,1,2,1,1024,128,4',
  );
  const ratio =
    (guessed?.['predicted_tpot_ms'] as number) / (like?.['predicted_tpot_ms'] as number);
  assert.ok(ratio > 0.9 && ratio < 1.1, `${ratio}`);
  const width = (row: Record<string, unknown> = {}) => {
    const [low, high] = row['tpot_interval_ms'] as [number, number];
    return high / low;
  };
  assert.ok(width(guessed) > 1.5 * width(like));
  assert.match(String(guessed?.['note']), /not in the catalogue; guessed from its name/);
  assert.match(String(refused?.['error']), /Foo-34B-chat" is not in the catalogue; did you mean /);
});

test('pipeline stages leave room for KV cache, engine cores share the clients', async () => {
  const path = join(directory, 'parallel.csv');
  writeFileSync(
    path,
    'system,model_path,precision,tp_size,pp_size,dp_size,isl,osl,batch_size\n' +
      [
        'h100_sxm,meta-llama/Llama-3.1-70B,fp8,1,1,1,8192,1024,32',
        'h100_sxm,meta-llama/Llama-3.1-70B,fp8,1,2,1,8192,1024,32',
        'h100_sxm,Qwen/Qwen3-8B,fp8,1,1,4,1024,128,64',
        'h100_sxm,Qwen/Qwen3-8B,fp8,1,1,1,1024,128,16',
      ].join('\n'),
  );
  const [one, two, cores, alone] = (await readPoints(path)).map(pointJson);
  assert.match(String(one?.['error']), /leaves no space/);
  assert.ok((two?.['predicted_tpot_ms'] as number) > 0);
  assert.equal(cores?.['predicted_tpot_ms'], alone?.['predicted_tpot_ms']);
});

test('near the knee the interval of the TTFT holds what a smaller KV cache would give', async () => {
  const [below, near] = await answers(
    ...[4, 64].map(
      (clients) => `b200_sxm,meta-llama/Llama-3.1-70B,fp8,,1,1,1,1,8192,1024,${clients}`,
    ),
  );
  const reach = (row: Record<string, unknown> = {}) =>
    (row['ttft_interval_ms'] as [number, number])[1] / (row['predicted_ttft_ms'] as number);
  assert.ok(reach(below) < 1.7 && reach(near) > 3, `${reach(below)} ${reach(near)}`);
});

test('GPUs that nobody measured are told apart: kin, cards, and those without 8-bit units', async () => {
  const at = (system: string, precision = 'bf16') =>
    `${system},Qwen/Qwen3-8B,${precision},,1,1,1,1,4096,128,1`;
  const rows = await answers(
    ...['b200_sxm', 'gb200', 'b300_sxm', 'h100_sxm', 'h100_pcie', 'a100_sxm'].map((name) =>
      at(name),
    ),
    at('a100_sxm', 'fp8'),
    at('h100_sxm', 'fp8'),
  );
  const ttft = rows.map((row) => row['predicted_ttft_ms'] as number);
  const [b200, gb200, b300, h100, card, a100, a100Fp8, h100Fp8] = ttft as [
    ...[number, number, number, number, number, number, number, number],
  ];
  assert.ok(gb200 < b200 && b300 === b200 && b200 < h100);
  assert.ok(h100 < card && card < a100);
  // Arithmetic decides: in fp8 a H100 gains, an A100 has to widen the weights.
  assert.ok(
    h100Fp8 < 0.85 * h100 && a100Fp8 > 0.95 * a100,
    `${h100Fp8} ${h100} ${a100Fp8} ${a100}`,
  );
});
