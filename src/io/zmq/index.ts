// ZeroMQ without native code: the transport, and the socket types that KV events and LMCache’s controller use.
export { type DealerRequestOptions, dealerRequest } from './dealer-request.ts';
export {
  formatZmqEndpoint,
  offsetZmqEndpoint,
  parseZmqEndpoint,
  type ZmqEndpoint,
} from './endpoint.ts';
export { ZmqTimeoutError, ZmtpError } from './errors.ts';
export type { ListeningSocket } from './listening-socket.ts';
export { PublisherSocket, type PublisherSocketOptions } from './publisher-socket.ts';
export { openPullSocket, type PullSocketOptions } from './pull-socket.ts';
export { PushSocket } from './push-socket.ts';
export { openRouterSocket, type RouterPeer, type RouterSocketOptions } from './router-socket.ts';
export { SubscriberSocket, type SubscriberSocketOptions } from './subscriber-socket.ts';
export type { ZmtpLimits } from './zmtp-connection.ts';
