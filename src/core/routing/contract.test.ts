// Every policy of the router fulfils the contract.
import { testSeed } from '../../../test/support/seed.ts';
import { testPolicyContract } from './contract.suite.ts';
import { policies } from './index.ts';

const seed = testSeed('contract of the router’s policies');

for (const policy of policies) testPolicyContract(policy, seed);
