// LMCache's peer-to-peer transfers: engines that read chunks out of each other's host memory.
export { PeerClient, type PeerClientOptions } from './peer-client.ts';
export { openPeerServer, type PeerServer, type PeerServerOptions } from './peer-server.ts';
