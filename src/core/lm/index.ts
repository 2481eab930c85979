// LMCache's remote server protocol, `lm://`.
export {
  type LmCommand,
  type LmRequest,
  lmReply,
  lmRequestBytes,
  readLmRequest,
} from './lm-frames.ts';
