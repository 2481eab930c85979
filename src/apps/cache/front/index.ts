// Keeps the connections of clients while the store restarts.
export { CacheFront, type FrontOptions } from './front.ts';
export { marksDescriptor, storeVariable } from './messages.ts';
export { linkToFront, type StoreLink } from './store-link.ts';
