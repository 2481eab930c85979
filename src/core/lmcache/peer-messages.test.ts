import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodePeerMessage,
  peerError,
  peerErrors,
  peerGetRequest,
  peerGetResponse,
  peerInitRequest,
  peerInitResponse,
  peerPutRequest,
  peerPutResponse,
  peerSideRequest,
  peerSideResponse,
} from './index.ts';

const key = 'm@1@0@1b0bd9d2a1bdf0a2@bfloat16';
/** What msgspec 0.19 encodes for the classes of LMCache 0.5.6 (p2p_backend.py, transfer_channel/). */
const encoded: readonly (readonly [Uint8Array, string])[] = [
  [
    peerInitRequest('10.0.0.1:8200'),
    '82a474797065b35079536f636b6574496e697452657175657374ad706565725f696e69745f75726cad31302e302e302e313a38323030',
  ],
  [
    peerInitResponse(),
    '82a474797065b45079536f636b6574496e6974526573706f6e7365a6737461747573a26f6b',
  ],
  [peerSideRequest(), '81a474797065ae503250496e6974536964654d7367'],
  [
    peerSideResponse('10.0.0.2:8201'),
    '82a474797065b1503250496e6974536964655265744d7367af706565725f6c6f6f6b75705f75726cad31302e302e302e323a38323031',
  ],
  [
    peerGetRequest('cmpl-1', '10.0.0.1:8200', [key]),
    '85a474797065b6426174636865644c6f6f6b7570416e644765744d7367a96c6f6f6b75705f6964a6636d706c2d31ab72656365697665725f6964ad31302e302e302e313a38323030a46b65797391bf6d4031403040316230626439643261316264663061324062666c6f61743136ab6d656d5f696e64657865739100',
  ],
  [
    peerGetResponse(1),
    '82a474797065b9426174636865644c6f6f6b7570416e644765745265744d7367ae6e756d5f6869745f6368756e6b7301',
  ],
  [
    peerPutRequest('10.0.0.1:8200', [key], [256]),
    '85a474797065b6426174636865644c6f6f6b7570416e645075744d7367a973656e6465725f6964ad31302e302e302e313a38323030a46b65797391bf6d4031403040316230626439643261316264663061324062666c6f61743136a76f66667365747391cd0100ab6d656d5f696e64657865739100',
  ],
  [
    peerPutResponse(1),
    '82a474797065b9426174636865644c6f6f6b7570416e645075745265744d7367af6e756d5f726561645f6368756e6b7301',
  ],
  [
    peerError(peerErrors.noHandshake),
    '82a474797065ab5032504572726f724d7367aa6572726f725f636f646503',
  ],
];

test('messages between peers have the bytes that LMCache 0.5.6 gives them', () => {
  for (const [bytes, hex] of encoded) assert.equal(Buffer.from(bytes).toString('hex'), hex);
});

test('messages between peers are read by the names of their fields', () => {
  const read = (hex = '') => decodePeerMessage(Buffer.from(hex, 'hex'));
  const [, , , side, get, hits, put, taken, error] = encoded.map(([, hex]) => read(hex));
  assert.equal(side?.lookupUrl, '10.0.0.2:8201');
  assert.deepEqual(
    [get?.type, get?.lookupId, get?.peer, get?.keys],
    ['BatchedLookupAndGetMsg', 'cmpl-1', '10.0.0.1:8200', [key]],
  );
  assert.equal(hits?.hitChunks, 1);
  assert.deepEqual([put?.peer, put?.keys, taken?.readChunks], ['10.0.0.1:8200', [key], 1]);
  assert.equal(error?.errorCode, peerErrors.noHandshake);
  assert.throws(() => read('81a4747970'), /MessagePack|ends|short/i);
});
