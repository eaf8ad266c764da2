// What is said and understood over WebSocket, and what a server that breaks the rules can do.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../dist/index.js';
import { event, scripted, subscribed, welcome } from './support/socket.js';

test('a hello says who, what and from where', (t) => {
  const { sockets, socket, tick, feed } = scripted(t, { auth: 'secret', topics: ['a', 'b'] });
  assert.equal(socket().url, 'wss://hub.example/base/ws');
  assert.equal(socket().protocol, 'bookhub.v1');
  socket().open();
  assert.deepEqual(socket().said, [{ type: 'hello', topics: ['a', 'b'], auth: 'secret' }]);
  socket().hear(welcome(), subscribed({ token: 'T2' }), event(1));
  feed.subscribe(['c']);
  feed.unsubscribe(['a']);
  feed.setAuth('fresh');
  assert.deepEqual(socket().said.slice(1), [
    { type: 'subscribe', topics: ['c'] },
    { type: 'unsubscribe', topics: ['a'] },
    { type: 'auth', token: 'fresh' },
  ]);
  socket().hear({ event: 'token', data: { token: 'T3' } });
  socket().end();
  tick(4000);
  socket().open();
  assert.equal(sockets.length, 2);
  assert.deepEqual(socket().said, [
    { type: 'hello', topics: ['b', 'c'], auth: 'fresh', resume: { token: 'T3', last_id: 'e-11' } },
  ]);
});

test('paths can be elsewhere, and a URL that is none fails at once', (t) => {
  const { socket } = scripted(t, { url: 'http://127.0.0.1:5000', paths: { ws: '/live' } });
  assert.equal(socket().url, 'ws://127.0.0.1:5000/live');
  assert.throws(() => connect({ url: '/', topics: [], onEvent() {} }), /Invalid URL/);
});

test('the position follows heartbeats, and never goes back', (t) => {
  const { socket, feed, resyncs } = scripted(t);
  assert.equal(feed.position(), undefined);
  socket().greet({ position: 'e-215' });
  assert.equal(feed.position(), 'e-215');
  socket().hear({ event: 'ping', data: { position: 'e-3100' } });
  assert.equal(feed.position(), 'e-3100');
  socket().hear({ event: 'pong', data: { position: 'e-2ff' } });
  assert.equal(feed.position(), 'e-3100');
  assert.deepEqual(resyncs, []);
});

test('what a second connection repeats is dropped', (t) => {
  const { socket, tick, events } = scripted(t);
  socket().greet();
  socket().hear(event(1), event(2), event(2), event(1), event(15), event(16));
  socket().end();
  tick(4000);
  socket().greet({ position: 'e-11' });
  socket().hear(event(2), event(15), event(16), event(17));
  assert.deepEqual(events, [1, 2, 15, 16, 17]);
});

test('a resync starts positions anew, also to an earlier one', (t) => {
  const { socket, feed, events, resyncs } = scripted(t);
  socket().greet();
  socket().hear(event(9), { event: 'resync', data: { reason: 'not_available', position: 'e-15' } }, event(6));
  assert.deepEqual(resyncs, [{ reason: 'not_available', position: 'e-15' }]);
  assert.deepEqual(events, [9, 6]);
  assert.equal(feed.position(), 'e-16');
});

test('another epoch without a word is told as a resync, once', (t) => {
  const { socket, events, resyncs, feed } = scripted(t);
  socket().greet();
  socket().hear(event(9), event(3, 'f'), event(4, 'f'), { event: 'ping', data: { position: 'g-17' } });
  assert.deepEqual(resyncs, [
    { reason: 'epoch_changed', position: 'f-13' },
    { reason: 'epoch_changed', position: 'g-17' },
  ]);
  assert.deepEqual(events, [9, 3, 4]);
  assert.equal(feed.position(), 'g-17');
});

for (const early of [event(9), { event: 'ping', data: { position: 'e-19' } }]) {
  test(`a ${early.event} before the welcome ends the connection, and nothing is lost`, (t) => {
    const { socket, tick, events, feed, state } = scripted(t, { resumeFrom: 'e-13' });
    const first = socket();
    first.open();
    first.hear({ event: 'resync', data: { reason: 'x', position: 'e-18' } }, subscribed(), early, event(10));
    assert.equal(state().state, 'disconnected');
    assert.ok(first.closed);
    assert.equal(feed.position(), 'e-13');
    first.hear(welcome(), event(11));
    tick(4000);
    socket().greet({ position: 'e-13' });
    socket().hear(event(4), event(9));
    assert.deepEqual(events, [4, 9]);
  });
}

test('what makes no sense is passed over', (t) => {
  const { socket, events, resyncs, feed, state } = scripted(t);
  socket().open();
  const nonsense = [
    '', 'null', '[]', '7', '"x"', '{', 'true', '{"event":7}', '{"event":"__proto__","data":7}',
    '{"event":"server:news","data":{}}', '{"id":7,"event":"said","topic":"a"}', new ArrayBuffer(3).toString(),
    { id: 'e', event: 'said', topic: 'a', data: 0 },
    { id: 'e-', event: 'said', topic: 'a', data: 0 },
    { id: 'e-1', event: 'said', topic: 'a', data: 0 },
    { id: 'e-19f', event: 'said', topic: 'a', data: 0 },
    { id: 'e f-19', event: 'said', topic: 'a', data: 0 },
    { id: 'e-2G1', event: 'said', topic: 'a', data: 0 },
    { id: 'e-1F', event: 'said', topic: 'a', data: 0 },
    { id: 'e-19', topic: 'a', data: 0 },
    { id: 'e-19', event: 'said', data: 0 },
    { id: null, event: 'said', topic: 'a', data: 0 },
    { event: 'resync' },
    { event: 'resync', data: { reason: 'x', position: 'far away' } },
    { event: 'ping', data: null },
    { event: 'token', data: { token: 7 } },
  ];
  socket().hear(...nonsense);
  assert.equal(state().state, 'connecting');
  socket().hear(welcome({ position: 7, heartbeat: -1 }), { event: 'subscribed' }, ...nonsense, event(1));
  assert.equal(state().state, 'connected');
  assert.deepEqual(state().denied, []);
  assert.deepEqual(events, [1]);
  assert.deepEqual(resyncs, []);
  assert.equal(feed.position(), 'e-11');
});

test('a server that floods loses nothing, and a handler may leave in the midst of it', (t) => {
  const { socket, events } = scripted(t);
  socket().greet();
  const frames = Array.from({ length: 50_000 }, (_, i) => event(i + 1));
  socket().hear(...frames);
  assert.equal(events.length, 50_000);
});

test('a server that is silent for two heartbeats and a little is left', (t) => {
  const { socket, tick, state } = scripted(t);
  socket().greet({ heartbeat: 10_000 });
  tick(24_999);
  socket().hear('anything');
  tick(24_999);
  assert.equal(state().state, 'connected');
  tick(1);
  assert.equal(state().state, 'disconnected');
  assert.match(state().reason, /silent/);
});

test('a server that never welcomes is left, and so is one that never opens', (t) => {
  const { socket, tick, state } = scripted(t);
  tick(15_000);
  assert.equal(state().state, 'disconnected');
  tick(4000);
  socket().open();
  tick(15_000);
  assert.equal(state().state, 'disconnected');
});

test('the complaint of the server is the reason', (t) => {
  const { socket, state } = scripted(t);
  socket().greet();
  socket().hear({ event: 'error', data: { code: 'too_many_topics', message: 'At most 100 topics' } });
  socket().end(4429, 'too many topics');
  assert.equal(state().reason, 'At most 100 topics');
  assert.equal(state().state, 'disconnected');
});

test('topics that were refused are asked for again with another credential', (t) => {
  const { socket, state, feed } = scripted(t, { topics: ['a', 'admin'] });
  socket().open();
  socket().hear(welcome(), subscribed({ denied: ['admin'] }));
  assert.deepEqual(state().denied, ['admin']);
  feed.setAuth('of an admin');
  assert.deepEqual(socket().said.slice(1), [
    { type: 'auth', token: 'of an admin' },
    { type: 'subscribe', topics: ['admin'] },
  ]);
  socket().hear(subscribed());
  assert.deepEqual(state(), { state: 'connected', transport: 'ws', recovered: true, denied: [] });
});

test('a credential that came while the old one was refused is tried', (t) => {
  const { socket, state, feed, tick } = scripted(t, { auth: 'old' });
  socket().open();
  feed.setAuth('new');
  socket().end(4401, 'expired');
  assert.equal(state().state, 'disconnected');
  tick(4000);
  socket().open();
  assert.equal(socket().said[0].auth, 'new');
  socket().end(4401, 'refused');
  assert.deepEqual(state(), { state: 'closed', code: 4401, reason: 'refused' });
});

for (const which of ['connecting', 'connected', 'disconnected', 'closed']) {
  test(`a handler may end the feed when it is told "${which}"`, (t) => {
    const { socket, tick, state } = scripted(t, {
      onState: ({ state }, feed) => state === which && feed.close(),
    });
    socket()?.greet();
    socket()?.hear(event(1));
    socket()?.end(which === 'closed' ? 1008 : 1006);
    tick(100_000);
    assert.equal(state().state, which);
  });
}
