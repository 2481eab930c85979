// Settings of the scheduler: the contents of a step, and the order in which requests wait.
import { missing, modelled, planned, served, setting, without } from '../setting.ts';
import { choice, count, readableCount, readableCountOrAuto, text, toggle } from '../value-kinds.ts';

export const schedulerSettings = {
  maxModelLen: setting({
    ...{ flag: '--max-model-len', keys: ['vllmConfig.maxModelLen'] },
    ...{ value: readableCountOrAuto(1, '<tokens>'), unit: 'tokens' },
    defaultText: "the model's context, or the longest that fits",
    about:
      'maximum length of prompt plus output, such as 8192 or 8K; auto for the longest that fits',
    effects: planned,
  }),
  maxNumSeqs: setting({
    ...{ flag: '--max-num-seqs', keys: ['vllmConfig.maxNumSeqs'] },
    ...{ value: count(1), unit: 'requests', defaultText: '256 or 1024, by GPU memory' },
    about: 'maximum number of requests in a step',
    effects: planned,
  }),
  maxNumActiveSeqs: setting({
    flag: '--max-num-active-seqs',
    ...{ value: count(1), unit: 'requests', defaultText: '--max-num-seqs' },
    about: 'maximum number of running requests',
    effects: modelled,
  }),
  maxNumBatchedTokens: setting({
    ...{ flag: '--max-num-batched-tokens', keys: ['vllmConfig.maxNumBatchedTokens'] },
    ...{ value: readableCount(1, '<tokens>'), unit: 'tokens' },
    defaultText: '2048, 8192 or 16384, by GPU memory',
    about: 'maximum number of tokens in a step',
    effects: modelled,
  }),
  enableChunkedPrefill: setting({
    ...{ flag: '--enable-chunked-prefill', keys: ['vllmConfig.enableChunkedPrefill'] },
    ...{ value: toggle, defaultText: 'on' },
    about: 'spread long prompts over several steps (default)',
    aboutNo: 'prefill each prompt in one step',
    effects: modelled,
  }),
  longPrefillTokenThreshold: setting({
    flag: '--long-prefill-token-threshold',
    ...{ value: count(0), unit: 'tokens', defaultText: '0, no limit' },
    about: 'maximum number of tokens of one prompt in a step',
    effects: modelled,
  }),
  schedulingPolicy: setting({
    ...{ flag: '--scheduling-policy', keys: ['vllmConfig.schedulingPolicy'] },
    ...{ value: choice(['fcfs', 'priority'], '<policy>'), defaultText: 'fcfs' },
    about: 'order of the waiting queue',
    effects: modelled,
  }),
  maxNumQueuedReqs: setting({
    flag: '--max-num-queued-reqs',
    ...{ value: count(0), unit: 'requests', defaultText: 'no limit' },
    about: 'number of unfinished requests above which new requests get status 503',
    effects: served,
  }),
  maxNumQueuedTokens: setting({
    flag: '--max-num-queued-tokens',
    ...{ value: readableCount(0, '<tokens>'), unit: 'tokens', defaultText: 'no limit' },
    about: 'number of prompt tokens in prefill from which new requests get status 503',
    effects: served,
  }),
  ...without(missing('it is not modelled'), text('<value>'), [
    'maxNumScheduledTokens',
    'watermark',
    'prefillScheduleInterval',
    'schedulerCls',
    'maxNumPartialPrefills',
    'maxLongPartialPrefills',
    'performanceMode',
  ]),
  ...without(missing('it is not modelled'), toggle, [
    'schedulerReserveFullIsl',
    'longPrefillTokenThresholdAdaptive',
  ]),
  ...without(
    missing('the host time per step is what asynchronous scheduling does not hide'),
    toggle,
    ['asyncScheduling'],
  ),
  streamInterval: setting({
    flag: '--stream-interval',
    ...{ value: count(1), unit: 'tokens', defaultText: '1' },
    about: 'tokens of an event of a stream; requests may have their own stream_interval',
    effects: served,
  }),
} as const;
