// Routers before the same engines that tell each other of their attempts: a stream of lines over HTTP,
// served by each and read by each.
export { NewsFeed, type NewsFeedOptions, type NewsFeedState } from './news-feed.ts';
export { attemptNewsPath, newsContentType } from './news-protocol.ts';
export { NewsStream, type NewsStreamOptions } from './news-stream.ts';
export { type PeerUrl, parsePeerUrl } from './peer-url.ts';
