// Compares the flags of `spillway engine` with the table of settings.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Command } from 'commander';
import { InputError } from '../../core/base/index.ts';
import { readWords, settingNames, settingsTable } from '../../core/layout/index.ts';
import { defineEngineFlags } from './engine-flags.ts';
import { vllmArguments } from './vllm-arguments.ts';

/** Parses a command line as `spillway engine` does. */
function parsed(words: readonly string[]): Command {
  const command = defineEngineFlags(new Command('engine')).exitOverride();
  return command.parse(vllmArguments(words), { from: 'user' });
}

test('every flag of the embedded engine is a row of the table, and every row a flag', () => {
  const flagsOf = (command: Command) => command.options.map(({ long }) => long);
  const flags = flagsOf(defineEngineFlags(new Command()));
  const switches = settingNames.filter((name) => settingsTable[name].value.arity === 'switch');
  const opposites = switches.map((name) => settingsTable[name].flag.replace('--', '--no-'));
  const rows = settingNames.map((name) => settingsTable[name].flag);
  assert.deepEqual(flags.toSorted(), [...rows, ...opposites].toSorted());
  for (const option of defineEngineFlags(new Command()).options) {
    const attribute = option.attributeName();
    const isKnown = settingNames.includes(attribute as never);
    assert.ok(isKnown, `${option.long} is parsed as ${attribute}, which is no name of a row`);
  }
});

test('every switch can be reversed with --no-', () => {
  const words = ['--enable-lora', '--no-enable-lora', '--no-enable-auto-tool-choice'];
  const options = parsed([...words, '--no-enforce-eager']).opts();
  assert.deepEqual([options['enableLora'], options['enableAutoToolChoice']], [false, false]);
});

/** Command lines that the parsers once parsed differently. */
const lines: readonly (readonly string[])[] = [
  ['--max-model-len', '8K'],
  ['--max-model-len=auto'],
  ['--kv-cache-memory-bytes', '8G'],
  ['--max_num_seqs=1_024', '--max-num-seqs', '12'],
  ['-tp', '2', '-pp=2', '-dp', '4'],
  ['--enable-chunked-prefill', '--no-enable-chunked-prefill'],
  ['--scheduling-policy', 'priority', '--dtype=float32', '--kv-cache-dtype', 'fp8_e5m2'],
  ['--served-model-name', 'a', 'b', '--served-model-name', 'c', '--seed', '7'],
  ['--kv-events-config.publisher', 'zmq', '--kv-events-config.enable_kv_cache_events=true'],
];

test('the embedded engine parses a command line as every other program does', () => {
  for (const words of lines) {
    const { settings } = readWords(words);
    const options = parsed(words).opts();
    for (const [name, value] of Object.entries(settings)) {
      assert.deepEqual(options[name], value, `${words.join(' ')}: ${name}`);
    }
  }
});

test('both parsers refuse the same values with the same sentence', () => {
  const refused: readonly (readonly string[])[] = [
    ['--max-model-len', '1.5K'],
    ['--max-num-seqs', '0'],
    ['--dtype', 'foo'],
    ['--kv-cache-dtype', 'fp4'],
    ['--gpu-memory-utilization', '1.5'],
    ['--max-lora-rank', '7'],
    ['--scheduling-policy', 'lifo'],
  ];
  for (const words of refused) {
    const sentence = sentenceOf(() => readWords(words));
    assert.match(sentence, /must be/);
    assert.equal(
      sentenceOf(() => parsed(words)),
      sentence,
    );
  }
});

function sentenceOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
  return 'nothing is refused';
}

test('levels of the log are those of vLLM, too', () => {
  assert.equal(parsed(['--log-level', 'DEBUG']).opts()['logLevel'], 'debug');
  assert.equal(parsed(['--log-level=NOTSET']).opts()['logLevel'], 'trace');
  assert.throws(() => parsed(['--log-level', 'loud']), /--log-level is "loud"; it must be one of/);
});
