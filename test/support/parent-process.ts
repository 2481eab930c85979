// A parent process that a test kills, with two children: one that watches its lifeline and a foreign program.
// Prints their pids.
import { fileURLToPath } from 'node:url';
import { Child } from '../../src/io/processes/index.ts';

const lifeline = fileURLToPath(new URL('../../src/io/lifeline/lifeline.ts', import.meta.url));
const own = `import { watchLifeline } from ${JSON.stringify(lifeline)};
  watchLifeline(); console.log('up'); setInterval(() => {}, 1e6);`;

let ready = 0;
const onLine = (): void => {
  ready += 1;
  if (ready === 2) process.stdout.write(`${children.map((child) => child.pid).join(' ')}\n`);
};
const children = [
  new Child(
    {
      name: 'own',
      command: process.execPath,
      args: ['--input-type=module-typescript', '-e', own],
      lifeline: 'pipe',
    },
    onLine,
  ),
  new Child(
    { name: 'foreign', command: 'sh', args: ['-c', 'echo up; sleep 1000'], lifeline: 'guard' },
    onLine,
  ),
];
