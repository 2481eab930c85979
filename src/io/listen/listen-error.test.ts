import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { endpointError, portError } from './index.ts';

test('the error of a port in use names the port and how to choose another one', async (context) => {
  const first = createServer();
  await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve));
  context.after(() => first.close());
  const { port } = first.address() as { port: number };
  const error = await new Promise<Error>((resolve) => {
    createServer().once('error', resolve).listen(port, '127.0.0.1');
  });
  const cause = 'is in use; stop the program that listens there, or';
  assert.equal(
    portError(error, '127.0.0.1', port).message,
    `Port ${port} on 127.0.0.1 ${cause} choose another port with --port.`,
  );
  assert.equal(
    endpointError(error, 'tcp://*:5557').message,
    `tcp://*:5557 ${cause} choose another endpoint.`,
  );
  assert.equal(portError(error, 'h', 1, '--set a=…').cause, error);
});

test('other errors say how to fix them', () => {
  const error = (code: string) => Object.assign(new Error(`listen ${code}`), { code });
  assert.match(
    portError(error('EACCES'), 'h', 80).message,
    /^Port 80 on h needs privileges .* 1024/,
  );
  assert.match(
    portError(error('EADDRNOTAVAIL'), '10.9.9.9', 80).message,
    /^10\.9\.9\.9 is not an address of this machine; .*--host\.$/,
  );
  assert.match(
    portError(error('EMFILE'), 'h', 80).message,
    /^Port 80 on h cannot be used \(listen EMFILE\); choose another/,
  );
});
