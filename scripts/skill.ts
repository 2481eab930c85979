// outputs/skill-vllm-stack-decider.md: the decider as a skill file for coding agents, which the npm package has, too.
import { version } from '../src/core/base/index.ts';
import { planSkill } from '../src/tools/plan/index.ts';

/** What `spillway plan --skill` prints. */
export function stackDeciderSkill(): string {
  return planSkill(version);
}
