// One connection from its opening to its end: what the messages of the hub mean. Knows nothing of
// other connections, and no application.

import { isId, sameEpoch } from './id.js';
import type { News } from './news.js';
import { TRANSPORTS, type Line } from './transports.js';
import type { FeedEvent, FeedOptions, Transport } from './types.js';

/** Where a client stands, whatever its connection. */
export interface Place {
  /** Up to where everything has come. */
  position: string | undefined;
  /** Says which connection this was. In memory only, and never logged. */
  token: string | undefined;
  auth: string | undefined;
  readonly topics: ReadonlySet<string>;
  /** What the server has refused of late. */
  denied: readonly string[];
}

/** How a connection ended. */
export interface End {
  readonly reason: string;
  readonly code: number | undefined;
  /** Whether the credential was still the one that the connection began with. */
  readonly sameAuth: boolean;
  /** Whether the server had answered. */
  readonly open: boolean;
  /** When it began. */
  readonly begun: number;
  /** The server is going away, and wants this client back after so many milliseconds. */
  readonly draining: number | undefined;
  /** The server wants nobody back before so many milliseconds. */
  readonly retry: number | undefined;
}

/** Who is told what a connection does. */
export interface Owner {
  opened(): void;
  over(end: End): void;
  emit(news: News): void;
}

/** An attempt to connect, and the connection that comes of it. */
export interface Attempt {
  /** Says something in band; not where there is nothing to say it with yet, or at all. */
  say(message: object): void;
  /** Whether the server has been told from where on and with which topics. */
  greeted(): boolean;
  /** Looks whether the server has gone silent. */
  check(): void;
  /** Ends it without a word to its owner. */
  kill(): void;
}

/** How long the first words of a server may take. */
const WELCOME_TIMEOUT = 15e3;

/** The time between two heartbeats, where the server does not tell it. */
const HEARTBEAT = 25e3;

/** A time in milliseconds as the server gives it, within what timers can do. */
const duration = (value: unknown): number | undefined =>
  typeof value === 'number' && value >= 0 ? Math.min(value, 36e5) : undefined;

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** Opens a connection. Its owner hears nothing before this has returned. */
export const attempt = (
  place: Place,
  options: FeedOptions,
  transport: Transport,
  url: string,
  owner: Owner,
): Attempt => {
  const begun = Date.now();
  let auth = place.auth;
  const inBand = transport === 'ws';
  let line: Line | undefined;
  let heard = begun;
  let patience = WELCOME_TIMEOUT;
  let watch: ReturnType<typeof setTimeout> | undefined;
  let greeted = !inBand;
  let dead = false;
  let open = false;
  let told = false;
  let recovered = !!place.position;
  let complaint: string | undefined;
  let draining: number | undefined;
  let retry: number | undefined;

  const kill = (): void => {
    dead = true;
    clearTimeout(watch);
    line?.stop();
  };

  const over = (reason = '', code?: number): void => {
    if (dead) return;
    kill();
    const sameAuth = auth === place.auth;
    reason = complaint ?? (reason || 'the connection was lost');
    owner.over({ reason, code, sameAuth, open, begun, draining, retry });
  };

  const check = (): void => {
    clearTimeout(watch);
    const left = heard + patience - Date.now();
    // More than all of it is left when the clock was set back.
    if (left > 0 && left <= patience) watch = setTimeout(check, left);
    else over('the server has gone silent');
  };

  const expect = (heartbeat: number): void => {
    patience = heartbeat * 2 + 5e3;
    check();
  };

  const opened = (): void => {
    if (open || dead) return;
    open = true;
    expect(HEARTBEAT);
    owner.opened();
  };

  const connected = (denied: readonly string[] = []): void => {
    told = true;
    place.denied = denied;
    owner.emit({ state: { state: 'connected', transport, recovered, denied } });
    recovered = true;
  };

  /** Everything up to `id` has come, and the event of that id with it. */
  const reached = (id: unknown, event?: FeedEvent): void => {
    if (dead || !isId(id)) return;
    // Taken, it would hide what was missed before it.
    if (!open) over('an event came before the welcome');
    else if (!told) connected();
    move(id, event);
  };

  const move = (id: string, event?: FeedEvent): void => {
    const prev = place.position;
    if (dead || (prev && sameEpoch(prev, id) && id <= prev)) return;
    place.position = id;
    owner.emit({ step: { prev, id, event } });
  };

  const control = (event: unknown, data: Record<string, unknown>): void => {
    const { position } = data;
    if (inBand) place.token = text(data.token) ?? place.token;
    if (event === 'connection:success') {
      opened();
      expect(duration(data.heartbeat) ?? HEARTBEAT);
      recovered = data.recovered === true;
      // Of a resume it says nothing new.
      if (!place.position && isId(position)) move(position);
    } else if (event === 'error') {
      complaint = text(data.message);
    } else if (event === 'server:draining') {
      draining = duration(data.retry_after_ms);
    } else if (event === 'close') {
      over(text(data.reason), Number(data.code));
    } else if (event === 'ping' || event === 'pong') {
      reached(position);
    } else if (event === 'subscribed' && open) {
      if (inBand || !told) connected(data.denied as string[]);
    } else if (event === 'resync' && open && isId(position)) {
      if (!told) connected();
      place.position = position;
      owner.emit({ resync: { reason: text(data.reason) ?? '', position } });
    }
  };

  const hear = (frame?: unknown): void => {
    heard = Date.now();
    try {
      if (typeof frame === 'string') frame = JSON.parse(frame);
    } catch {
      return;
    }
    const { id, event, topic, data } = Object(frame) as Record<string, unknown>;
    if (dead) return;
    if (id === undefined) control(event, Object(data) as Record<string, unknown>);
    else if (text(event) && text(topic)) reached(id, { id, event, topic, data } as FeedEvent);
  };

  const hello = (): object => {
    greeted = true;
    const { position, token, topics } = place;
    auth = place.auth;
    const resume = position && { token, last_id: position };
    return { type: 'hello', topics: [...topics], auth, resume };
  };

  const port = {
    url,
    place,
    options,
    hello,
    opened,
    hear,
    reached,
    over,
    retry(wait: number) {
      retry = duration(wait);
    },
  };
  try {
    line = TRANSPORTS[transport](port);
  } catch (error) {
    queueMicrotask(() => {
      over(String(error));
    });
  }
  watch = setTimeout(check, patience);
  return {
    check,
    kill,
    greeted: () => greeted,
    say: (message) => {
      line?.say?.(message);
    },
  };
};
