import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { InputError, type TextTable } from '../../base/index.ts';
import { expertsTouched } from '../catalogue/model-spec.ts';
import {
  allReduceSeconds,
  bytesPerWeight,
  calibratedRoofline,
  findGpu,
  findModel,
  parseStepProfile,
  pointCalibration,
  profileCost,
  profileLockstep,
  rooflineCost,
  type StepProfile,
} from '../index.ts';
import { gridOf, interpolate, interpolateGrid, samplesOf } from './interpolation.ts';
import { summedLockstep } from './lockstep.ts';

const nothing = {
  sequences: 0,
  tokens: 0,
  prefillTokens: 0,
  prefillTokenContext: 0,
  prefillTokensSquared: 0,
  decodeSequences: 0,
  decodeContextTokens: 0,
};

/** A step of `sequences` decodes at a context of `context` tokens each. */
function decodes(sequences: number, context: number) {
  return {
    ...nothing,
    sequences,
    tokens: sequences,
    decodeSequences: sequences,
    decodeContextTokens: sequences * context,
  };
}

/** A step of one prefill of `chunk` tokens after `context`. */
function prefill(chunk: number, context = 0) {
  return {
    ...nothing,
    sequences: 1,
    tokens: chunk,
    prefillTokens: chunk,
    prefillTokenContext: chunk * context,
    prefillTokensSquared: chunk * chunk,
  };
}

test('interpolates linearly between samples, is constant below the first, and follows the last slope above', () => {
  const table = samplesOf([
    [4, 40],
    [1, 10],
    [2, 30],
  ]);
  assert.deepEqual(
    [0, 1, 1.5, 2, 3, 4, 6].map((x) => interpolate(table, x)),
    [10, 10, 20, 30, 35, 40, 50],
  );
});

test('a grid reproduces a multilinear function exactly, whichever points each slice has', () => {
  const axis = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 5 });
  const inside = fc.integer({ min: 0, max: 50 });
  fc.assert(
    fc.property(
      axis,
      fc.array(axis, { minLength: 5, maxLength: 5 }),
      inside,
      inside,
      (xs, ys, x, y) => {
        const f = (a: number, b: number) => 3 + 2 * a + 5 * b + a * b;
        const rows = xs.flatMap((a, i) => (ys[i] ?? []).map((b) => [a, b, f(a, b)]));
        const within = (values: readonly number[], v: number) =>
          Math.min(Math.max(v, Math.min(...values)), Math.max(...values));
        const a = within(xs, x);
        const common = ys.slice(0, xs.length);
        const low = Math.max(...common.map((values) => Math.min(...values)));
        const b = Math.max(y, low);
        assert.ok(Math.abs(interpolateGrid(gridOf(rows), [a, b]) - f(a, b)) < 1e-6);
      },
    ),
  );
});

const tables = {
  attention:
    'prefill_chunk,kv_prefill,n_decode,kv_decode,time_us\n0,0,1,0,10\n0,0,1,100,30\n8,0,0,0,50\n8,100,0,0,90\n',
  dense:
    'layer,tokens,time_us\nmlp,1,5\nmlp,9,13\nlayernorm,1,1\nlayernorm,9,1\nembedding,1,100\nembedding,9,100\n',
  perSequence: 'layer,sequences,time_us\nsampler,1,7\nsampler,2,8\n',
};

/** The profile of tables that are given as CSV. */
function profileOf(texts: Readonly<Record<string, string | undefined>>): StepProfile {
  const table = (name: string, text = ''): TextTable => {
    const [columns = [], ...rows] = parse(text, { relax_column_count: true });
    return {
      source: `${name}.csv`,
      columns,
      rows: rows.map((cells, i) => ({ line: i + 2, cells })),
    };
  };
  const { attention, dense, perSequence, experts } = texts;
  return parseStepProfile({
    attention: table('attention', attention),
    dense: table('dense', dense),
    perSequence: perSequence === undefined ? undefined : table('per_sequence', perSequence),
    experts: experts === undefined ? undefined : table('moe', experts),
  });
}

test('a profiled step counts attention and layers once per layer, the rest once, and adds the host', () => {
  const model = { ...findModel('opt-125m'), layers: 2 };
  const profile = profileOf(tables);
  const cost = profileCost({ profile, model, hostSecondsPerStep: 1e-3 });
  // 2 · (20 attention + 5 mlp + 2 · 1 norm) + 100 embedding + 7 sampler, in µs.
  assert.ok(Math.abs(cost.stepSeconds(decodes(1, 50)) - (161e-6 + 1e-3)) < 1e-12);
  // 2 · (70 + 12 + 2) + 100 + 7
  assert.ok(Math.abs(cost.stepSeconds(prefill(8, 50)) - (275e-6 + 1e-3)) < 1e-12);
  const link = { latencySeconds: 1e-5, bytesPerSecond: 768 * 2 * 1e5 };
  const linked = profileCost({ profile, model, link });
  // Two all-reduces in each of two layers: 10 µs + 8 tokens of 1,536 bytes.
  assert.ok(Math.abs(linked.stepSeconds(prefill(8, 50)) - (275e-6 + 4 * 90e-6)) < 1e-12);
});

test('of attention, only measurements with one query per decode count, and only rows of attention', () => {
  const columns = 'layer,prefill_chunk,kv_prefill,n_decode,kv_decode,decode_q_len,time_us';
  const rows = ['attention,0,0,1,0,1,10', 'attention,0,0,1,0,2,99', 'rope,0,0,1,0,1,88'];
  const { attention } = profileOf({ ...tables, attention: [columns, ...rows].join('\n') });
  assert.equal(interpolateGrid(attention, [0, 1, 0, 0]), 10);
  const swapped = 'decode_q_len,layer,prefill_chunk,kv_prefill,n_decode,kv_decode,time_us';
  const other = profileOf({ ...tables, attention: `${swapped}\n1,attention,0,0,1,0,10\n` });
  assert.equal(interpolateGrid(other.attention, [0, 1, 0, 0]), 10, 'in any order of the columns');
  const several = [columns, ...rows.slice(1)].join('\n');
  assert.throws(() => profileOf({ ...tables, attention: several }), /no measurement of attention/);
});

test('experts that several GPUs share have a table for each number of GPUs', () => {
  const experts = 'ep,tokens,activated_experts,time_us\n1,1,8,40\n2,1,8,30\n4,1,8,20\n';
  const { sharedExperts } = profileOf({ ...tables, experts });
  const times = [...(sharedExperts ?? [])].map(([gpus, grid]) => [
    gpus,
    interpolateGrid(grid, [1, 8]),
  ]);
  assert.deepEqual(times, [
    [2, 30],
    [4, 20],
  ]);
});

test('looks up experts by the number that the tokens use', () => {
  const model = { ...findModel('qwen3-30b-a3b'), layers: 1 };
  const experts =
    'ep,tokens,activated_experts,time_us\n1,1,8,40\n1,1,128,640\n2,1,8,999\n1,8,8,40\n1,8,128,640\n';
  const without = profileCost({ profile: profileOf(tables), model });
  const cost = profileCost({ profile: profileOf({ ...tables, experts }), model });
  const extra = cost.stepSeconds(decodes(1, 50)) - without.stepSeconds(decodes(1, 50));
  assert.ok(Math.abs(extra - 40e-6) < 1e-12, `${extra}`);
});

test('cores that share experts take as long as the longest own part and the experts for all their tokens', () => {
  const model = { ...findModel('qwen3-30b-a3b'), layers: 1 };
  const experts = 'tokens,activated_experts,time_us\n1,1,10\n1,128,1280\n64,1,10\n64,128,1280\n';
  const profile = profileOf({ ...tables, experts });
  const bare = profileCost({ profile: profileOf(tables), model });
  const seconds = (expertParallel: boolean, bytesPerSecond = Infinity, memory = Infinity) =>
    profileLockstep({
      ...{ profile, model, cores: 2, expertParallel, own: bare, memoryBytesPerSecond: memory },
      link: { latencySeconds: 0, bytesPerSecond },
    }).stepSeconds([decodes(2, 50), decodes(6, 50)]);
  const own = bare.stepSeconds(decodes(6, 50));
  // 10 µs an expert: each core has half of those that the eight tokens go to.
  const half = (expertsTouched(model, 8) / 2) * 10e-6;
  for (const expertParallel of [true, false]) {
    assert.ok(Math.abs(seconds(expertParallel) - own - half) < 1e-9);
  }
  // A table of two GPUs that share the experts is looked up by the tokens of both.
  const shared = `ep,${experts.replaceAll(/^(?=\d)/gm, '1,')}2,1,1,7\n2,1,64,7\n2,16,1,7\n2,16,64,7\n`;
  const measured = profileLockstep({
    ...{ profile: profileOf({ ...tables, experts: shared }), model, cores: 2 },
    ...{ expertParallel: true, own: bare, memoryBytesPerSecond: Infinity },
    link: { latencySeconds: 0, bytesPerSecond: Infinity },
  });
  const withTable = measured.stepSeconds([decodes(2, 50), decodes(6, 50)]);
  assert.ok(Math.abs(withTable - own - 7e-6) < 1e-9, `${withTable}`);
  // Gathering and scattering eight tokens of 4,096 bytes, and gathering 128 router logits of each.
  const exchange = seconds(true, 1e9) - seconds(true);
  assert.ok(Math.abs(exchange - (8 * (4096 + 128)) / 1e9) < 1e-9, `${exchange}`);
  // Four of a token's eight experts are elsewhere; their rows of 5 · 768 + 2 · 2,048 values remain.
  const elsewhere = seconds(true, Infinity, 1e9) - seconds(true);
  assert.ok(Math.abs(elsewhere - (8 * 4 * (5 * 768 + 2 * 2048) * 2) / 1e9) < 1e-9, `${elsewhere}`);
  assert.equal(seconds(false, Infinity, 1e9), seconds(false));
});

test('cores of a roofline compute the sum of their loads as one step', () => {
  const asked: object[] = [];
  const cost = { stepSeconds: (load: object) => asked.push(load) };
  const mixed = {
    ...decodes(2, 50),
    prefillTokens: 3,
    prefillTokenContext: 4,
    prefillTokensSquared: 9,
  };
  assert.equal(summedLockstep(cost).stepSeconds([mixed, decodes(6, 10), mixed]), 1);
  assert.deepEqual(asked, [
    {
      ...{ sequences: 10, tokens: 10, decodeSequences: 10, decodeContextTokens: 260 },
      ...{ prefillTokens: 6, prefillTokenContext: 8, prefillTokensSquared: 18 },
    },
  ]);
});

test('finds each of many samples and interpolates between any two', () => {
  const points = Array.from({ length: 40 }, (_, i) => [i ** 2, 3 * i ** 3] as const);
  const table = samplesOf(points.toReversed());
  for (const [i, [at, value]] of points.entries()) {
    assert.equal(interpolate(table, at), value);
    const next = points[i + 1];
    if (next === undefined) continue;
    assert.ok(Math.abs(interpolate(table, (at + next[0]) / 2) - (value + next[1]) / 2) < 1e-6);
  }
});

test('refuses a table without rows', () => {
  assert.throws(() => gridOf([]), /at least one row/);
});

test('refuses a broken profile table and names it, its column and its line', () => {
  const broken = (part: object) => () => profileOf({ ...tables, ...part });
  assert.throws(broken({ dense: 'layer,tokens\nmlp,1\n' }), /dense.csv has no column "time_us"/);
  assert.throws(broken({ dense: 'layer,tokens,time_us\nmlp,1\n' }), /dense.csv line 2 is short/);
  assert.throws(broken({ dense: 'layer,tokens,time_us\nmlp,1,fast\n' }), /"fast" where a number/);
  assert.throws(broken({ attention: tables.attention.split('\n')[0] }), InputError);
});

test('a decode is limited by the memory rate of the weights, a prefill by arithmetic', () => {
  const model = findModel('llama-3.1-8b');
  const cost = rooflineCost({ model, gpu: findGpu('h100') });
  const decode = cost.stepSeconds(decodes(1, 100));
  // 16 GB / 3.35 TB/s is 4.8 ms; measured engines take 4.6 to 6.5 (vllm-project, NIM at c = 1).
  assert.ok(decode > 4.8e-3 && decode < 7e-3, `${decode}`);
  const tokensPerSecond = 8192 / cost.stepSeconds(prefill(8192));
  assert.ok(tokensPerSecond > 20_000 && tokensPerSecond < 45_000, `${tokensPerSecond}`);
});

test('a roofline never gets faster with more work, a slower GPU, or fewer GPUs', () => {
  const model = findModel('qwen3-8b');
  const seconds = (load: typeof nothing, gpu = 'h100', tensorParallelSize = 1) =>
    rooflineCost({ model, gpu: findGpu(gpu), tensorParallelSize }).stepSeconds(load);
  const natural = fc.integer({ min: 1, max: 4000 });
  fc.assert(
    fc.property(natural, natural, natural, (n, context, more) => {
      assert.ok(seconds(decodes(n, context)) <= seconds(decodes(n + more, context)));
      assert.ok(seconds(decodes(n, context)) <= seconds(decodes(n, context + more)));
      assert.ok(seconds(prefill(n, context)) <= seconds(prefill(n + more, context)));
      assert.ok(seconds(prefill(n, context)) < seconds(prefill(n, context), 'a10'));
    }),
  );
  assert.ok(seconds(prefill(4000), 'h100', 4) < seconds(prefill(4000)));
});

test('a step computed from its contexts alone equals the whole step to the last bit', () => {
  const load = fc.record({
    sequences: fc.integer({ min: 1, max: 64 }),
    chunk: fc.constantFrom(0, 1, 300),
    contexts: fc.array(fc.nat(200_000), { minLength: 1, maxLength: 4 }),
  });
  for (const name of ['Qwen3-8B', 'Qwen3-30B-A3B', 'gpt-oss-20b']) {
    const cost = rooflineCost({ model: findModel(name), gpu: findGpu('H100') });
    fc.assert(
      fc.property(load, ({ sequences, chunk, contexts }) => {
        const prompt = chunk === 0 ? nothing : prefill(chunk, 50);
        const step = (decodeContextTokens: number) => ({
          ...prompt,
          sequences: sequences + prompt.sequences,
          tokens: sequences + prompt.tokens,
          ...{ decodeSequences: sequences, decodeContextTokens },
        });
        const byContext = cost.byContext?.(step(1));
        for (const tokens of contexts) {
          assert.equal(byContext?.(tokens), cost.stepSeconds(step(tokens)));
        }
      }),
    );
  }
});

test('fp8 weights halve what a decode reads', () => {
  const [model, gpu] = [findModel('llama-3.1-70b'), findGpu('b200')];
  const bf16 = rooflineCost({ model, gpu }).stepSeconds(decodes(1, 100));
  const fp8 = rooflineCost({ model, gpu, weightBytesPerValue: 1 }).stepSeconds(decodes(1, 100));
  assert.ok(fp8 < 0.6 * bf16 && fp8 > 0.45 * bf16);
});

test('with a summing switch, each GPU sends its tensor once; in a ring, almost twice', () => {
  const link = { latencySeconds: 0, bytesPerSecond: 1 };
  const summed = { ...link, inSwitchGpusMin: 4 };
  assert.deepEqual(
    [2, 4, 8].map((gpus) => allReduceSeconds(link, 100, gpus)),
    [100, 150, 175],
  );
  assert.deepEqual(
    [2, 4, 8].map((gpus) => allReduceSeconds(summed, 100, gpus)),
    [100, 100, 100],
  );
});

test('unevenly chosen experts are fewer than evenly chosen ones, at least those of one token, and all in the limit', () => {
  const model = findModel('qwen3-30b-a3b');
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.double({ min: 0.1, max: 50, noNaN: true }),
      (n, shape) => {
        const uneven = expertsTouched(model, n, shape);
        assert.ok(uneven <= expertsTouched(model, n) + 1e-9 && uneven >= 8 - 1e-9);
        assert.ok(expertsTouched(model, n + 1, shape) >= uneven);
      },
    ),
  );
  assert.equal(expertsTouched(model, 1, 2), 8);
  assert.ok(expertsTouched(model, 1_000_000, 2) > 127.9);
});

test('data-parallel attention costs one gather and one scatter per layer', () => {
  const model = findModel('deepseek-ai/DeepSeek-V3');
  const gpu = findGpu('b200');
  const seconds = (bytesPerSecond: number, layout: object) =>
    rooflineCost({ model, gpu, ...layout, link: { latencySeconds: 0, bytesPerSecond } });
  const cost = (layout: object) =>
    seconds(1e9, layout).stepSeconds(decodes(64, 100)) -
    seconds(1e15, layout).stepSeconds(decodes(64, 100));
  const ratio = cost({ attentionDataParallelSize: 8 }) / cost({ tensorParallelSize: 8 });
  assert.ok(Math.abs(ratio - 0.5) < 1e-3, `${ratio}`);
});

test('kernels that widen 4-bit weights are no faster on B200 than on H200; kernels that multiply them are', () => {
  const model = findModel('moonshotai/Kimi-K2.5');
  const seconds = (gpu: string, precision: 'int4' | 'fp4') => {
    const layout = { model, gpu: findGpu(gpu), tensorParallelSize: 8 };
    const options = calibratedRoofline(
      { ...layout, weightBytesPerValue: bytesPerWeight[precision] },
      precision,
      pointCalibration,
    );
    return rooflineCost(options).stepSeconds(decodes(64, 1000));
  };
  const ratio = (precision: 'int4' | 'fp4') =>
    seconds('b200', precision) / seconds('h200', precision);
  // Measured, 64 clients: 28.5 against 31.1 ms.
  assert.ok(ratio('int4') > 0.85 && ratio('int4') < 1.05, `${ratio('int4')}`);
  assert.ok(ratio('fp4') < 0.8, `${ratio('fp4')}`);
});

test('cores of a dense model share nothing but the exchange of their tokens', () => {
  const model = { ...findModel('opt-125m'), layers: 1 };
  const profile = profileOf(tables);
  const own = profileCost({ profile, model });
  for (const expertParallel of [true, false]) {
    const lockstep = profileLockstep({
      ...{ profile, model, cores: 2, expertParallel, own, memoryBytesPerSecond: 1e9 },
      link: { latencySeconds: 0, bytesPerSecond: 1e9 },
    });
    const exchange = (8 * 768 * 2) / 1e9;
    const seconds = lockstep.stepSeconds([decodes(2, 50), decodes(6, 50)]);
    const expected = own.stepSeconds(decodes(6, 50)) + exchange;
    assert.ok(Math.abs(seconds - expected) < 1e-12, `${seconds}`);
  }
});
