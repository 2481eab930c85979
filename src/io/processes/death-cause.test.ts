import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeathCause } from './death-cause.ts';

test('the cause is the exception of the engine core, not the API server’s later one', () => {
  const cause = causeOf([
    '(EngineCore pid=9) ERROR 11-23 01:31:50 [core.py:1300] EngineCore failed to start.',
    '(EngineCore pid=9) ERROR 11-23 01:31:50 [core.py:1300] Traceback (most recent call last):',
    '(EngineCore pid=9) ERROR 11-23 01:31:50 [core.py:1300]     raise ValueError(',
    '(EngineCore pid=9) ERROR 11-23 01:31:50 [core.py:1300] torch.distributed.DistNetworkError: EADDRINUSE',
    '  File "/usr/lib/python3.11/contextlib.py", line 144, in __exit__',
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {'EngineCore': 1}",
    '/usr/lib/python3.11/multiprocessing/resource_tracker.py:254: UserWarning: resource_tracker: 1 leaked',
    "  warnings.warn('resource_tracker: There appear to be %d '",
  ]);
  assert.equal(cause.ofExit(), 'torch.distributed.DistNetworkError: EADDRINUSE');
});

test('an exception that only points elsewhere is better than nothing', () => {
  const line = 'RuntimeError: Engine core initialization failed. See root cause above.';
  assert.equal(causeOf([line, 'bye']).ofExit(), line);
});

test('a later exception of the same exit replaces an earlier one', () => {
  assert.equal(causeOf(['KeyError: 1', 'ValueError: 2']).ofExit(), 'ValueError: 2');
});

test('an old exception is not the cause of an exit, and no exception that of a signal', () => {
  const idle = Array.from({ length: 300 }, (_, index) => `INFO step ${index}`);
  assert.equal(causeOf(['ValueError: bad request', ...idle]).ofExit(), 'INFO step 299');
  assert.equal(causeOf(['ValueError: bad request', 'INFO done']).ofSignal(), 'INFO done');
});

test('without an exception the cause is the last line of stderr that is no warning or stack frame', () => {
  const cause = causeOf(['CUDA out of memory', 'a.py:1: UserWarning: leaked', '    at f (a.js:1)']);
  cause.add('stdout', 'ready');
  assert.equal(cause.ofExit(), 'CUDA out of memory');
});

test('without any line there is no cause', () => {
  assert.equal(new DeathCause().ofExit(), '');
});

function causeOf(lines: readonly string[]): DeathCause {
  const cause = new DeathCause();
  for (const line of lines) cause.add('stderr', line);
  return cause;
}
