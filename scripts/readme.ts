// README.md: replaces what a plan prints by what the program prints now.
import { readFileSync } from 'node:fs';
import { makePlan, planTerminal } from '../src/tools/plan/index.ts';

/** Width of the terminal in which the README's commands run. */
const columns = 100;

/** The README, with the first paragraph that each `$ spillway plan -f FILE` in it prints. */
export async function readmePage(): Promise<string> {
  let page = readFileSync('README.md', 'utf8');
  for (const [block, file = ''] of page.matchAll(/^\$ spillway plan -f (\S+)\n[\s\S]*?^…$/gm)) {
    const made = await makePlan({
      ...{ file, overrides: [], trace: undefined, prometheus: undefined, seed: 1 },
    });
    const [paragraph] = planTerminal(made, { columns, next: '' }).split('\n\n');
    page = page.replace(block, () => `$ spillway plan -f ${file}\n${paragraph}\n…`);
  }
  return page;
}
