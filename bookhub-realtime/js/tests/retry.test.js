// When the next try comes, over which transport, and when none comes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { event, scripted, welcome } from './support/socket.js';

/** Lets every connection fail; what `Math.random` says decides the waits. */
const waits = (set, number) =>
  Array.from({ length: number }, () => {
    set.socket().end();
    const { retryIn } = set.state();
    set.tick(Math.ceil(retryIn));
    return retryIn;
  });

const only = { transports: ['ws'] };

test('waits are a random part of a ceiling that doubles to four seconds', (t) => {
  const random = t.mock.method(Math, 'random', () => 1);
  const set = scripted(t, only);
  assert.deepEqual(waits(set, 6), [500, 1000, 2000, 4000, 4000, 4000]);
  random.mock.mockImplementation(() => 0.25);
  assert.deepEqual(waits(set, 2), [1000, 1000]);
});

test('the waits begin anew only after a minute that stood', (t) => {
  t.mock.method(Math, 'random', () => 1);
  const set = scripted(t, only);
  const stand = (time) => {
    set.socket().greet({ heartbeat: 3_600_000 });
    set.tick(time);
    return waits(set, 1)[0];
  };
  assert.deepEqual([stand(0), stand(59_000), stand(59_999)], [500, 1000, 2000]);
  assert.equal(stand(60_000), 500);
});

test('it tries for ever', (t) => {
  const set = scripted(t, only);
  waits(set, 500);
  assert.equal(set.sockets.length, 501);
});

test('a wait that the server names beyond reason is an hour, and nonsense is none', (t) => {
  t.mock.method(Math, 'random', () => 1);
  const set = scripted(t, only);
  const drained = (retry_after_ms) => {
    set.socket().greet();
    set.socket().hear({ event: 'server:draining', data: { retry_after_ms } });
    return waits(set, 1)[0];
  };
  assert.deepEqual([drained(1e15), drained(1500), drained(0)], [3_600_000, 1500, 0]);
  assert.deepEqual([drained(-1), drained('soon'), drained(null)], [500, 1000, 2000]);
});

test('a page that comes online or to the front does not wait', (t) => {
  const listeners = {};
  const signals = [];
  const listen = (type, listener, { signal }) => {
    listeners[type] = listener;
    signals.push(signal);
  };
  globalThis.addEventListener = listen;
  t.after(() => delete globalThis.addEventListener);
  globalThis.document = { hidden: false, addEventListener: listen };
  t.after(() => delete globalThis.document);
  const set = scripted(t, only);
  for (const type of ['online', 'visibilitychange']) {
    set.socket().end();
    const before = set.sockets.length;
    globalThis.document.hidden = true;
    listeners[type]();
    assert.equal(set.sockets.length, before, 'nobody looks');
    globalThis.document.hidden = false;
    listeners[type]();
    listeners[type]();
    assert.equal(set.sockets.length, before + 1);
  }
  // Unless the server wants it to wait.
  set.socket().greet();
  set.socket().hear({ event: 'server:draining', data: { retry_after_ms: 5000 } });
  set.socket().end(1001);
  const before = set.sockets.length;
  listeners.online();
  assert.equal(set.sockets.length, before);
  // After a long sleep a connection that seems to stand is looked at.
  set.tick(5000);
  set.socket().greet();
  t.mock.timers.setTime(Date.now() + 100_000);
  listeners.online();
  assert.deepEqual(set.states.slice(-2).map(({ state }) => state), ['disconnected', 'connecting']);
  set.feed.close();
  assert.ok(signals.length === 2 && signals.every(({ aborted }) => aborted));
});

/** Two failures of the WebSocket, so that SSE is tried. */
const toSse = (set) => waits(set, 2);

/** An answer whose body the test writes. */
const stream = (set) => {
  let controller;
  const body = new ReadableStream({ start: (it) => (controller = it) });
  set.requests.at(-1).answer(
    new Response(body, { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }),
  );
  const bytes = new TextEncoder();
  return {
    write: async (text) => {
      controller.enqueue(typeof text === 'string' ? bytes.encode(text) : text);
      await set.settle();
    },
    end: async () => {
      controller.close();
      await set.settle();
    },
  };
};

const json = (value, init) => new Response(JSON.stringify(value), init);

test('where no WebSocket opens it is SSE, then polls, then WebSocket again', async (t) => {
  const set = scripted(t);
  toSse(set);
  for (const path of ['events', 'poll']) {
    for (let i = 0; i < 2; i++) {
      assert.match(set.requests.at(-1).url, new RegExp(`^https://hub.example/base/${path}\\?topics=a$`));
      set.requests.at(-1).fail(TypeError('failed'));
      await set.settle();
      assert.equal(set.state().state, 'disconnected');
      set.tick(4000);
    }
  }
  assert.equal(set.sockets.length, 3);
  assert.equal(set.requests.length, 4);
  assert.equal(set.state().transport, 'ws');
});

test('where there is no WebSocket at all it is SSE from the start', (t) => {
  const set = scripted(t, { WebSocket: undefined });
  assert.equal(globalThis.WebSocket, undefined, 'Node 20 has none; give `WebSocket` where there is one');
  assert.match(set.requests[0].url, /events/);
});

test('a WebSocket class that throws is one that does not open', async (t) => {
  const set = scripted(t, {
    WebSocket: class {
      constructor() {
        throw Error('not here');
      }
    },
  });
  for (let i = 0; i < 2; i++) {
    await set.settle();
    assert.match(set.state().reason, /not here/);
    set.tick(4000);
  }
  assert.equal(set.requests.length, 1);
});

test('SSE shows the credential in a header and the position in both places', async (t) => {
  const set = scripted(t, { auth: 'secret', resumeFrom: 'e-13', credentials: 'include', topics: ['a', 'b.*'] });
  toSse(set);
  const { url, init } = set.requests[0];
  const { searchParams } = new URL(url);
  assert.deepEqual(Object.fromEntries(searchParams), { topics: 'a,b.*', after: 'e-13' });
  assert.equal(init.headers.authorization, 'Bearer secret');
  assert.equal(init.headers['last-event-id'], 'e-13');
  assert.equal(init.credentials, 'include');
});

test('from SSE it comes back to WebSocket, with no gap and no repeat', async (t) => {
  const set = scripted(t);
  set.socket().greet();
  waits(set, 1);
  toSse(set);
  const sse = stream(set);
  const data = (frame) => `id: ${frame.id}\nevent: said\ndata: ${JSON.stringify(frame)}\n\n`;
  await sse.write(`event: connection:success\ndata: ${JSON.stringify(welcome({ token: 'SSE' }))}\n\n`);
  await sse.write(data(event(1)));
  assert.equal(set.sockets.length, 3);
  set.tick(10_000);
  assert.equal(set.sockets.length, 4, 'a WebSocket is tried beside');
  set.socket().open();
  assert.deepEqual(set.socket().said[0].resume, { last_id: 'e-11' }, 'no token: it may not know the topics');
  await sse.write(data(event(2)));
  assert.equal(set.requests[0].init.signal.aborted, false);
  set.socket().hear(welcome({ position: 'e-11' }));
  assert.equal(set.requests[0].init.signal.aborted, true, 'only now SSE ends');
  await set.settle();
  set.socket().hear({ event: 'subscribed', data: { denied: [], token: 'T' } }, event(2), event(3));
  assert.deepEqual(set.events, [1, 2, 3]);
  assert.deepEqual(set.states.map(({ state, transport }) => [state, transport]).slice(-3), [
    ['connecting', 'sse'],
    ['connected', 'sse'],
    ['connected', 'ws'],
  ]);
});

test('a WebSocket that still does not open is tried ever more rarely, and nobody hears of it', async (t) => {
  t.mock.method(Math, 'random', () => 1);
  const set = scripted(t);
  toSse(set);
  const sse = stream(set);
  await sse.write(': hello\n\n');
  const told = set.states.length;
  const tried = [];
  for (let i = 0; i < 7; i++) {
    const before = set.sockets.length;
    let time = 0;
    while (set.sockets.length === before) {
      await sse.write(':\n');
      set.tick(10_000);
      time += 10;
    }
    tried.push(time);
    if (i % 2) set.socket().open();
    set.socket().end();
  }
  assert.deepEqual(tried, [10, 20, 40, 80, 160, 300, 300]);
  assert.equal(set.states.length, told);
});

test('a stream is read however it is cut, with all that may stand in it', async (t) => {
  const set = scripted(t);
  toSse(set);
  const sse = stream(set);
  const first = { ...event(1), data: 'zwölf\u2028🎉' };
  const text =
    `retry: 200000\r\n: a comment\r\n\r\n:\n\nid: e-11\r\nevent: said\r\ndata: ${JSON.stringify(first)}\r\n\r\n` +
    `data:${JSON.stringify(event(2))}\nid:e-12\n\n` +
    `id: e-15\n\nevent: said\ndata: {"id":"e-14","event":"said",\ndata:   "topic":"a","data":4}\n\n` +
    `unknown: field\nnonsense\ndata\n\ndata: {\n\n` +
    `event: resync\ndata: {"event":"resync","data":{"reason":"too_slow","position":"e-17"}}\n\n`;
  for (const byte of new TextEncoder().encode(text)) await sse.write(Uint8Array.of(byte));
  assert.deepEqual(set.events, ['zwölf\u2028🎉', 2], 'e-14 was passed by the heartbeat at e-15');
  assert.equal(set.feed.position(), 'e-17');
  assert.deepEqual(set.resyncs, [{ reason: 'too_slow', position: 'e-17' }]);
  await sse.end();
  assert.ok(set.state().retryIn <= 4000, '`retry` is for those that have no waits of their own');
});

test('a line without end is not kept for ever', async (t) => {
  const set = scripted(t);
  toSse(set);
  const sse = stream(set);
  for (let i = 0; i < 31 && set.state().state !== 'disconnected'; i++) await sse.write('x'.repeat(1e6));
  assert.match(set.state().reason, /too long/);
});

test('what is no event stream is none, whatever its status', async (t) => {
  const set = scripted(t);
  toSse(set);
  set.requests[0].answer(new Response('<h1>Please sign in</h1>', { headers: { 'content-type': 'text/html' } }));
  await set.settle();
  assert.match(set.state().reason, /no event stream/);
  assert.equal(set.state().state, 'disconnected');
});

test('a stream that never says a word is left for polls', async (t) => {
  const set = scripted(t);
  toSse(set);
  for (let i = 0; i < 2; i++) {
    stream(set);
    await set.settle();
    set.tick(15_000);
    await set.settle();
    assert.match(set.state().reason, /silent/);
    set.tick(4000);
  }
  assert.match(set.requests.at(-1).url, /poll/);
});

for (const [status, headers, expected] of [
  [429, { 'retry-after': '7' }, 7500],
  [503, { 'retry-after': new Date(9000).toUTCString() }, 9500],
  [503, { 'retry-after': 'soon' }, 500],
  [503, {}, 500],
  [404, {}, 500],
]) {
  test(`after ${status} with ${JSON.stringify(headers)} the wait is ${expected} at most`, async (t) => {
    t.mock.method(Math, 'random', () => 1);
    const set = scripted(t, { transports: ['sse'] });
    set.requests[0].answer(new Response('', { status, headers }));
    await set.settle();
    assert.equal(set.state().retryIn, expected);
  });
}

test('403 ends it at the first try, unless a credential follows; later it does not', async (t) => {
  const set = scripted(t, { transports: ['sse'] });
  set.requests[0].answer(new Response('', { status: 403 }));
  await set.settle();
  assert.deepEqual(set.state(), { state: 'closed', code: 403, reason: 'the server answered 403' });
  set.feed.setAuth('good');
  set.tick(0);
  const sse = stream(set);
  await sse.write(':\n');
  await sse.end();
  set.tick(4000);
  set.requests.at(-1).answer(new Response('', { status: 403 }));
  await set.settle();
  assert.equal(set.state().state, 'disconnected');
});

test('the same credential again is not tried in a loop', async (t) => {
  t.mock.method(Math, 'random', () => 1);
  const set = scripted(t, {
    transports: ['sse'],
    auth: 'bad',
    onState: ({ state }, feed) => state === 'closed' && feed.setAuth('bad'),
  });
  for (let i = 0; i < 100; i++) {
    set.requests.at(-1).answer(new Response('', { status: 401 }));
    await set.settle();
    set.tick(100);
  }
  assert.ok(set.requests.length < 10);
});

test('polls follow each other from where they are, and not in a loop', async (t) => {
  const set = scripted(t, { transports: ['poll'], resumeFrom: 'e-13' });
  const asked = () => new URL(set.requests.at(-1).url).searchParams.get('after');
  assert.equal(asked(), null, 'the first only asks who is there');
  set.requests.at(-1).answer(json({ events: [], position: 'e-19' }));
  await set.settle();
  assert.equal(set.state().state, 'connected');
  assert.equal(asked(), 'e-13');
  set.requests.at(-1).answer(json({ events: [event(4), event(5)], position: 'e-19' }));
  await set.settle();
  assert.deepEqual(set.events, [4, 5]);
  assert.equal(set.feed.position(), 'e-19');
  assert.equal(asked(), 'e-19');
  const before = set.requests.length;
  set.requests.at(-1).answer(json({ events: [], position: 'e-19' }));
  await set.settle();
  assert.equal(set.requests.length, before);
  set.tick(1000);
  await set.settle();
  assert.equal(set.requests.length, before + 1);
  // One that waits as it should is followed at once.
  set.tick(25_000);
  set.requests.at(-1).answer(json({ events: [], position: 'e-19' }));
  await set.settle();
  assert.equal(set.requests.length, before + 2);
  for (const nonsense of ['', '7', 'null', '{"events":7}', '<html>']) {
    set.requests.at(-1).answer(new Response(nonsense));
    await set.settle();
    assert.equal(set.state().state, 'disconnected', nonsense);
    set.tick(4000);
  }
  assert.equal(set.feed.position(), 'e-19');
});

test('a poll tells which topics were refused', async (t) => {
  const set = scripted(t, { transports: ['poll'], topics: ['a', 'admin'] });
  set.requests[0].answer(json({ events: [], position: 'e-19', denied: ['admin'] }));
  await set.settle();
  assert.deepEqual(set.state(), { state: 'connected', transport: 'poll', recovered: false, denied: ['admin'] });
});

test('no topics are none, though a query cannot say so', async (t) => {
  const set = scripted(t, { transports: ['sse'], topics: [] });
  assert.equal(new URL(set.requests[0].url).search, '');
  const sse = stream(set);
  await sse.write(`data: ${JSON.stringify(event(1))}\n\n`);
  assert.deepEqual(set.events, []);
  assert.equal(set.feed.position(), 'e-11');
});

test('several changes of the topics make one request', async (t) => {
  const set = scripted(t, { transports: ['sse'] });
  const sse = stream(set);
  await sse.write(':\n\n');
  const before = set.requests.length;
  set.feed.subscribe(['b']);
  set.feed.subscribe(['c']);
  set.feed.unsubscribe(['b']);
  set.tick(0);
  assert.equal(set.requests.length, before + 1);
  assert.equal(new URL(set.requests.at(-1).url).searchParams.get('topics'), 'a,c');
});
