// Routing as other projects do it, and as one could who knew the future: what `predictive` is measured
// against on the simulator. The router does not offer these.
export {
  type ClairvoyantKnowledge,
  ClairvoyantPolicy,
  type KnownEngine,
  type KnownRequest,
} from './clairvoyant.ts';
export { createPeerPolicy, type PeerOptions, peerPolicyNames } from './create-peer-policy.ts';
export { type LlmdTieredOptions, LlmdTieredPolicy } from './llmd-tiered.ts';
