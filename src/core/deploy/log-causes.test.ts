// Last lines of logs, as vLLM, Hugging Face's hub and CUDA write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { causeOf, stageOf } from './log-causes.ts';

for (const [line, cause] of [
  [
    'GatedRepoError: 401 Client Error. Cannot access gated repo for url https://huggingface.co/x',
    /gated/,
  ],
  ['RepositoryNotFoundError: 404 Client Error.', /does not know the model/],
  ["OSError: We couldn't connect to 'https://huggingface.co' to load the files", /does not reach/],
  ['socket.gaierror: [Errno -3] Temporary failure in name resolution', /does not reach/],
  ['OSError: [Errno 28] No space left on device', /volume is full/],
  ['torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB', /GPU's memory/],
  ['ValueError: No available memory for the cache blocks.', /GPU's memory/],
  ['RuntimeError: Failed to infer device type', /no usable GPU driver/],
  ['vllm: error: unrecognized arguments: --foo', /does not know a flag/],
  ["PermissionError: [Errno 13] Permission denied: '/.cache'", /may not write/],
] as const) {
  test(`a log that ends with "${line.slice(0, 50)}" has a known cause`, () => {
    const found = causeOf(['INFO starting', line, 'Traceback follows']);
    assert.match(found?.cause ?? '', cause);
    assert.notEqual(found?.next, '');
  });
}

test('a log without a known error has no cause', () => {
  assert.equal(causeOf(['INFO all is well']), undefined);
  assert.equal(causeOf([]), undefined);
});

test('the stage of a start is that of the last line that tells one', () => {
  for (const [line, stage] of [
    ['Loading safetensors checkpoint shards:  40% Completed | 2/5', 'loading weights, 40 %'],
    ['Capturing CUDA graphs (decode, FULL):  80%|████', 'capturing CUDA graphs, 80 %'],
    ['torch.compile takes 20 s in total', 'compiling the model'],
    ['INFO: Application startup complete.', 'started, not ready yet'],
  ] as const) {
    assert.equal(stageOf(['Starting to load model x...', line, 'words']), stage);
  }
  assert.equal(stageOf(['words']), undefined);
});
