// A proxy for TCP that cuts connections after as many bytes as it is told.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';

/** Proxies to `port`; `cutAfter()` says after how many bytes from there each connection ends. */
export const startProxy = async (t, port, cutAfter) => {
  const sockets = new Set();
  const server = createServer((near) => {
    let left = cutAfter();
    const far = connect(port, '127.0.0.1');
    const end = () => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    near.pipe(far);
    far.on('data', (bytes) => {
      // What lies before the cut still arrives.
      near.write(bytes.subarray(0, left), () => left <= 0 && end());
      left -= bytes.length;
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  t.after(async () => {
    server.close();
    cut();
    await once(server, 'close');
  });
  return { url: `http://127.0.0.1:${server.address().port}`, cut };
};
