// Routing of other projects and a clairvoyant router, with which `predictive` is compared on the simulator. The
// router does not offer them.
export {
  type ClairvoyantKnowledge,
  clairvoyantOf,
  type KnownEngine,
  type KnownRequest,
} from './clairvoyant.ts';
export { llmdTiered } from './llmd-tiered.ts';
export { createPeerPolicy, peerPolicies, peerPolicyNames } from './peer-table.ts';
