// What the current traffic would meet on another fleet.
export {
  gpuNames,
  modelLike,
  modelNames,
  type ObservedRequest,
  type WhatIf,
  type WhatIfResult,
  whatIf,
} from './what-if.ts';
