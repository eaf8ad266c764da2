// A feed that writes down what it is told, and ways to wait for it.

import assert from 'node:assert/strict';
import { WebSocket } from 'ws';
import { connect } from '../../dist/index.js';

/** How long a test waits before it calls something hung. */
const HUNG = 30_000;

/** Waits until `check` is true. */
export const until = async (check, what = String(check)) => {
  const begun = performance.now();
  while (!check()) {
    assert.ok(performance.now() - begun < HUNG, `hung: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

/** Connects; the result has what was told as `events`, `resyncs`, `states` and, in order, `all`. */
export const follow = (t, hub, options = {}) => {
  const told = { events: [], resyncs: [], states: [], all: [] };
  const { onEvent, onResync, onState, ...rest } = options;
  const feed = connect({
    url: hub.url,
    topics: ['a'],
    WebSocket,
    onEvent(event) {
      told.events.push(event);
      told.all.push(['event', event.id]);
      return onEvent?.(event, feed);
    },
    onResync(resync) {
      told.resyncs.push(resync);
      told.all.push(['resync', resync.position]);
      return onResync?.(resync, feed);
    },
    onState(state) {
      told.states.push(state);
      told.all.push([state.state, state.reason]);
      return onState?.(state, feed);
    },
    ...rest,
  });
  t.after(() => feed.close());
  const count = (state) => told.states.filter((one) => one.state === state).length;
  return Object.assign(told, {
    feed,
    count,
    data: () => told.events.map(({ data }) => data),
    connected: (times = 1) => until(() => count('connected') >= times, `connected ${times} times`),
    received: (number) => until(() => told.events.length >= number, `${number} events`),
  });
};

/** What a test calls errors that it expects to be reported. */
export const reported = (t) => {
  const errors = [];
  globalThis.reportError = (error) => errors.push(error);
  t.after(() => delete globalThis.reportError);
  return errors;
};
