// The connection that is kept up: over which transport, when to try again, and when not. Knows no
// application; all that is to be told goes to `emit`.

import { attempt, type Attempt, type End, type Place } from './attempt.js';
import { env } from './env.js';
import type { News } from './news.js';
import type { Feed, FeedOptions } from './types.js';

/** A connection that is kept up until it is closed. */
export interface Wire extends Feed {
  /** Goes on from an earlier position, with all topics. */
  readonly rewind: (to: string) => void;
}

type Timer = ReturnType<typeof setTimeout> | undefined;

/** The ceiling of the first wait, and of the longest, in milliseconds. */
const FIRST = 500;
const LONGEST = 4e3;

/** How long a connection has to stand before the waits begin anew. */
const STABLE = 6e4;

/** How long the best transport is not tried beside another one, at first and at most. */
const FIRST_PROBE = 1e4;
const LAST_PROBE = 3e5;

/** Keeps a connection to the hub that follows `topics`, and tells `emit` what comes. */
export const wire = (options: FeedOptions, topics: Set<string>, emit: (news: News) => void): Wire => {
  const sockets = options.WebSocket ?? env.WebSocket;
  const transports = (options.transports ?? ['ws', 'sse', 'poll']).filter((name) => name !== 'ws' || sockets);
  const paths = { ws: '/ws', sse: '/events', poll: '/poll', ...options.paths };
  const base = String(options.url).replace(/\/+$/, '');
  const urls = transports.map((name) => new URL(base + paths[name], env.location?.href).href);
  if (!urls.length) throw Error('there is no WebSocket, and nothing else is allowed');
  const place: Place = {
    position: options.resumeFrom,
    token: undefined,
    auth: options.auth,
    topics,
    denied: [],
  };
  /** Ends the listeners for the page's news. */
  const life = new AbortController();

  /** The code with which trying has ended. */
  let ended: number | undefined;
  let wasOpen = false;
  /** Which transport, and how many connections over it in a row were not even opened. */
  let which = 0;
  let failures = 0;
  let ceiling = FIRST;
  let timer: Timer;
  /** Whether the wait is this client's own, and may be cut short. */
  let ownWait = false;
  let current: Attempt | undefined;
  /** A try of the best transport beside a connection over another one. */
  let probe: Attempt | undefined;
  let probeTimer: Timer;
  let probeWait = FIRST_PROBE;

  /** A random part of a ceiling that doubles. */
  const backoff = (): number => {
    const wait = Math.random() * ceiling;
    ceiling = Math.min(ceiling * 2, LONGEST);
    return wait;
  };

  const begin = (index: number): Attempt => {
    const me = attempt(place, options, transports[index], urls[index], {
      emit,
      opened() {
        wasOpen = true;
        failures = 0;
        which = index;
        if (probe === me) {
          current?.kill();
          current = me;
          probe = undefined;
        }
        if (index) probeLater();
        else probeWait = FIRST_PROBE;
        // What was followed over another transport, the token does not know.
        if (transports[index] !== 'ws') place.token = undefined;
      },
      over(end) {
        if (probe === me) probeLater();
        else lost(end);
      },
    });
    return me;
  };

  const probeLater = (): void => {
    probe?.kill();
    probe = undefined;
    clearTimeout(probeTimer);
    probeTimer = setTimeout(() => {
      probe = begin(0);
    }, probeWait * (0.5 + Math.random() / 2));
    probeWait = Math.min(probeWait * 2, LAST_PROBE);
  };

  /** Ends what there is of connections. */
  const drop = (): void => {
    clearTimeout(timer);
    clearTimeout(probeTimer);
    current?.kill();
    probe?.kill();
    current = probe = timer = undefined;
  };

  const start = (): void => {
    drop();
    emit({ state: { state: 'connecting', transport: transports[which] } });
    // Whoever was told may have ended it.
    if (!ended && !current) current = begin(which);
  };

  const startIn = (wait: number, own: boolean): void => {
    drop();
    ownWait = own;
    timer = setTimeout(start, wait);
  };

  const lost = ({ reason, code, sameAuth, open, begun, draining, retry }: End): void => {
    drop();
    if (Date.now() - begun >= STABLE) ceiling = FIRST;
    if (!open && ++failures > 1) {
      failures = 0;
      which = (which + 1) % transports.length;
    }
    const refused = code === 4401 && sameAuth;
    // A server that refuses at the first try will not think otherwise at the next.
    const unfit = !wasOpen && (code === 400 || code === 403);
    if (refused || unfit || code === 1008 || code === 1009 || code === 4409) {
      ended = code;
      emit({ state: { state: 'closed', code, reason } });
    } else {
      const retryIn = draining ?? (retry ?? 0) + backoff();
      startIn(retryIn, (draining ?? retry) === undefined);
      emit({ state: { state: 'disconnected', reason, retryIn } });
    }
  };

  /** Says something in band, or opens a connection anew that knows it. */
  const say = (message: object): void => {
    if (transports[which] === 'ws') current?.say(message);
    else restart();
  };

  const restart = (): void => {
    if (current?.greeted()) startIn(0, false);
  };

  const wake = (): void => {
    if (env.document?.hidden) return;
    current?.check();
    if (timer && ownWait) {
      which = failures = 0;
      start();
    }
  };
  const { signal } = life;
  env.addEventListener?.('online', wake, { signal });
  env.document?.addEventListener('visibilitychange', wake, { signal });
  startIn(0, false);

  return {
    position: () => place.position,
    subscribe(more) {
      const names = [...more];
      names.forEach((name) => topics.add(name));
      say({ type: 'subscribe', topics: names });
    },
    unsubscribe(fewer) {
      const names = [...fewer];
      names.forEach((name) => topics.delete(name));
      say({ type: 'unsubscribe', topics: names });
    },
    setAuth(token) {
      // One that was refused already is not shown in a loop.
      const wait = token === place.auth ? backoff() : 0;
      place.auth = token;
      if (ended === 4401 || ended === 403) {
        ended = undefined;
        startIn(wait, false);
      } else if (token) {
        const refused = place.denied;
        say({ type: 'auth', token });
        if (refused.length) say({ type: 'subscribe', topics: refused });
      } else restart();
    },
    rewind(to) {
      place.position = to;
      place.token = undefined;
      restart();
    },
    close() {
      ended = 1000;
      life.abort();
      drop();
    },
  };
};
