// Peers' policies and the clairvoyant one pass the contract of routing policies.
import { testSeed } from '../../../test/support/seed.ts';
import { testPolicyContract } from '../routing/contract.suite.ts';
import { clairvoyantOf, llmdTiered, peerPolicies } from './index.ts';

const seed = testSeed('contract of peers’ policies');

const cost = { stepSeconds: ({ tokens }: { tokens: number }) => 0.01 + tokens / 20_000 };
const engine = { cost, kvTokensMax: 400_000, maxNumBatchedTokens: 8192 };
const clairvoyant = clairvoyantOf({ requests: [], engineAt: () => engine });

for (const policy of [...peerPolicies, llmdTiered, clairvoyant]) testPolicyContract(policy, seed);
