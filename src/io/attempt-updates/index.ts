// Exchanges attempts between routers in front of the same engines: a stream of lines over HTTP, which
// each router serves and reads.

export { type PeerUrl, parsePeerUrl } from './peer-url.ts';
export { UpdateFeed, type UpdateFeedOptions } from './update-feed.ts';
export { attemptUpdatesPath, updatesContentType } from './update-protocol.ts';
export { UpdateStream, type UpdateStreamOptions } from './update-stream.ts';
