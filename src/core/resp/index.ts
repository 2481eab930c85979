// RESP, the protocol of Redis: requests in, replies out.
export {
  arrayHead,
  bulk,
  bulkHead,
  errorReply,
  integerReply,
  lineEnd,
  mapReply,
  nullReply,
  ok,
  type RespVersion,
  simple,
} from './replies.ts';
export {
  type BulkSink,
  collectedBytesMax,
  type RequestHandler,
  RequestReader,
  RespSyntaxError,
} from './request-reader.ts';
