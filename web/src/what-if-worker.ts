// The simulator in a worker of its own, so that the page stays responsive. It is loaded when it is first asked.
import { gpuNames, modelLike, modelNames, whatIf } from '../../src/core/what-if/index.ts';
import type { WhatIfAnswer, WhatIfQuestion } from './what-if-messages.ts';

addEventListener('message', ({ data }: MessageEvent<WhatIfQuestion>) => {
  postMessage(answerTo(data));
});

function answerTo(question: WhatIfQuestion): WhatIfAnswer {
  try {
    if (question.kind === 'simulate') {
      return { kind: 'simulated', result: whatIf(question.whatIf) };
    }
    const model = modelLike(question.servedModel);
    return { kind: 'described', gpus: gpuNames, models: modelNames, model };
  } catch (error) {
    return { kind: 'failed', why: (error as Error).message };
  }
}
