// RESP, the protocol of Redis: requests in, replies out.
export { slotCount, slotOf } from './cluster-slots.ts';
export { globMatcher } from './glob.ts';
export {
  arrayHead,
  bulk,
  bulkHead,
  commandHead,
  errorReply,
  integerReply,
  lineEnd,
  mapReply,
  nullArrayReply,
  nullReply,
  ok,
  type RespVersion,
  simple,
  textReply,
} from './replies.ts';
export { type ReplyHandler, ReplyReader } from './reply-reader.ts';
export {
  type BulkSink,
  collectedBytesMax,
  type RequestHandler,
  RequestReader,
  RespSyntaxError,
} from './request-reader.ts';
