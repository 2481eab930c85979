// A fleet that follows its endpoint source.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { EndpointChange } from '../../../io/endpoints/index.ts';
import { createLogger } from '../../../io/log/index.ts';
import type { Fleet } from './fleet.ts';
import { FollowedSource } from './followed-source.ts';

type Step = readonly EndpointChange[] | Error | (() => void);

function removal(url: string): readonly EndpointChange[] {
  return [{ kind: 'removed', url }];
}

/** Follows a source that takes these steps, to its end; returns what the fleet got, and the log. */
async function follow(
  steps: readonly Step[],
  options: { readonly stopsAfterFirst?: boolean } = {},
) {
  const applied: string[] = [];
  const apply = (changes: readonly EndpointChange[]) => {
    for (const change of changes) applied.push(change.kind === 'removed' ? change.url : '');
  };
  const stream = new PassThrough();
  const log = createLogger({ stream, level: 'info', format: 'text' });
  let isStopped = false;
  const source = {
    name: 'the source',
    async *changes(signal: AbortSignal) {
      signal.addEventListener('abort', () => {
        isStopped = true;
      });
      for (const step of steps) {
        if (step instanceof Error) throw step;
        if (typeof step === 'function') step();
        else yield step;
      }
    },
  };
  const followed = await FollowedSource.begin(source, { apply } as unknown as Fleet, log);
  const first = [...applied];
  if (options.stopsAfterFirst) followed.stop();
  await followed.follow();
  log.flush();
  return { first, applied, logged: String(stream.read() ?? ''), isStopped };
}

test('the first set is applied before anything else, later ones while the source is followed', async () => {
  const { first, applied, logged } = await follow([removal('a'), removal('b'), removal('c')]);
  assert.deepEqual(first, ['a']);
  assert.deepEqual(applied, ['a', 'b', 'c']);
  assert.equal(logged, '');
});

test('a source that breaks leaves the fleet as it is, and the log says so', async () => {
  const { applied, logged } = await follow([removal('a'), new Error('no such host')]);
  assert.deepEqual(applied, ['a']);
  assert.match(
    logged,
    /ERROR: the source: failed; its engines stay as they are: Error: no such host/,
  );
});

test('a source that cannot work at all is an error of the start', async () => {
  await assert.rejects(follow([new Error('wrong name')]), /wrong name/);
});

test('what a source says after it was stopped is not applied', async () => {
  const { applied, isStopped } = await follow([removal('a'), removal('b')], {
    stopsAfterFirst: true,
  });
  assert.deepEqual(applied, ['a']);
  assert.ok(isStopped);
});
