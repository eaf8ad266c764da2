// A WebSocket whose server is the test, and a clock that the test moves.

import { connect } from '../../dist/index.js';

export const welcome = (data = {}) => ({
  event: 'connection:success',
  data: { id: 'c', token: 'T', epoch: 'e', position: 'e-10', recovered: true, heartbeat: 25_000, ...data },
});

export const subscribed = (data = {}) => ({
  event: 'subscribed',
  data: { topics: ['a'], denied: [], position: 'e-10', token: 'T', ...data },
});

export const event = (number, epoch = 'e') => ({
  id: `${epoch}-${number.toString(16).length}${number.toString(16)}`,
  event: 'said',
  topic: 'a',
  data: number,
});

/** A feed over scripted sockets and a scripted `fetch`, under a clock that stands still. */
export const scripted = (t, options = {}) => {
  const sockets = [];
  const requests = [];
  class Socket {
    readyState = 0;
    said = [];
    constructor(url, protocol) {
      this.url = url;
      this.protocol = protocol;
      sockets.push(this);
    }
    send(text) {
      this.said.push(JSON.parse(text));
    }
    close() {
      this.closed = true;
      this.readyState = 3;
    }
    // What the test does, as the server.
    open() {
      this.readyState = 1;
      this.onopen();
    }
    hear(...frames) {
      for (const frame of frames) {
        this.onmessage({ data: typeof frame === 'object' ? JSON.stringify(frame) : frame });
      }
    }
    greet(data) {
      this.open();
      this.hear(welcome(data), subscribed());
    }
    end(code = 1006, reason = '') {
      this.readyState = 3;
      this.onclose({ code, reason });
    }
  }
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  t.mock.method(globalThis, 'fetch', (url, init) =>
    new Promise((resolve, reject) => {
      requests.push({ url: String(url), init, answer: resolve, fail: reject });
      init.signal.addEventListener('abort', () => reject(init.signal.reason));
    }),
  );
  const told = { events: [], resyncs: [], states: [] };
  const feed = connect({
    url: 'https://hub.example/base/',
    topics: ['a'],
    WebSocket: Socket,
    onEvent: (event) => told.events.push(event.data),
    onResync: (resync) => told.resyncs.push(resync),
    ...options,
    onState(state) {
      told.states.push(state);
      options.onState?.(state, feed);
    },
  });
  t.after(() => feed.close());
  const tick = (milliseconds) => t.mock.timers.tick(milliseconds);
  tick(0);
  return {
    feed,
    sockets,
    requests,
    tick,
    ...told,
    socket: () => sockets.at(-1),
    state: () => told.states.at(-1),
    /** Lets promises run, which no clock holds. */
    settle: async () => {
      for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    },
  };
};
