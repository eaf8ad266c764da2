// What the application sees: the settings, the events and the notices. Types only.

/** An event as it was published. */
export interface FeedEvent<Data = unknown> {
  /** Where it stands in the log, such as `5f2c-3e90`; opaque. */
  readonly id: string;
  /** What happened, such as `book:created`. */
  readonly event: string;
  /** What it is about. */
  readonly topic: string;
  /** What was published. */
  readonly data: Data;
}

/** Events were missed: fetch the state anew. Events after `position` follow. */
export interface Resync {
  /**
   * Why: `history_expired`, `epoch_changed`, `token_invalid`, `too_slow`, `not_available`, or a
   * reason of a newer server.
   */
  readonly reason: string;
  /** From where on the feed is live again. */
  readonly position: string;
}

/** How the events travel. */
export type Transport = 'ws' | 'sse' | 'poll';

/** What the connection is doing. */
export type FeedState =
  | { readonly state: 'connecting'; readonly transport: Transport }
  | {
      /**
       * The connection stands. Comes again when the server confirms a change of the topics or of
       * the credential, and when the feed has come back to a better transport.
       */
      readonly state: 'connected';
      readonly transport: Transport;
      /**
       * Whether it goes on where the feed was. If not, and it was somewhere, a resync follows. Over
       * polls it is only to be expected: a resync may follow still.
       */
      readonly recovered: boolean;
      /** The topics that the server refused. */
      readonly denied: readonly string[];
    }
  | {
      readonly state: 'disconnected';
      /** What happened, as a sentence. */
      readonly reason: string;
      /** The next try comes after so many milliseconds. */
      readonly retryIn: number;
    }
  | {
      /** Trying again cannot help. After 4401 or 403 `setAuth` starts again; else this is final. */
      readonly state: 'closed';
      /** The WebSocket close code (4401 for a refused credential on every transport) or HTTP status. */
      readonly code: number;
      /** What happened, as a sentence. */
      readonly reason: string;
    };

/** The settings of a feed. */
export interface FeedOptions {
  /** Where the hub is: `https://host`, with a path if it is mounted below one, or `/` for the page's own. */
  readonly url: string | URL;
  /** What to follow; `*` stands for one part of a name. */
  readonly topics: Iterable<string>;
  /** The credential to show as a bearer token. It never stands in a URL. */
  readonly auth?: string | undefined;
  /** Goes on after this position, which the application has stored together with its effect. */
  readonly resumeFrom?: string | undefined;
  /** Takes each event, once and in order. */
  readonly onEvent: (event: FeedEvent) => unknown;
  /** Told that events were missed. */
  readonly onResync?: ((resync: Resync) => unknown) | undefined;
  /** Told what the connection does. */
  readonly onState?: ((state: FeedState) => unknown) | undefined;
  /**
   * One connection for all tabs of this origin that share the name (`true`: that share the `url`).
   * Needs Web Locks and BroadcastChannel; without them each tab has its own connection.
   */
  readonly shared?: boolean | string | undefined;
  /** Where the hub's services are below `url`. Default: `/ws`, `/events`, `/poll`. */
  readonly paths?: Partial<Readonly<Record<Transport, string>>> | undefined;
  /** What may be used, best first. Default: `['ws', 'sse', 'poll']`. */
  readonly transports?: readonly Transport[] | undefined;
  /** Whether SSE and polls show cookies, as `fetch` means it. Default: `same-origin`. */
  readonly credentials?: RequestCredentials | undefined;
  /** The WebSocket class. Default: the global one; where there is none, SSE is used. */
  readonly WebSocket?: (new (url: string, protocol: string) => WebSocketLike) | undefined;
  /** The lock manager of a shared feed. Default: `navigator.locks`. */
  readonly locks?: LocksLike | undefined;
}

/** A stream of events that reconnects and resumes by itself. */
export interface Feed {
  /**
   * Up to where the application has seen everything; none before the first connection. In a handler
   * it already names the event that is being handled. Store it together with the effect of the
   * event, and give it as `resumeFrom` to the next process.
   */
  readonly position: () => string | undefined;
  /** Follows more topics, from now on. */
  readonly subscribe: (topics: Iterable<string>) => void;
  /** Follows these topics no longer: none of their events comes after this call. */
  readonly unsubscribe: (topics: Iterable<string>) => void;
  /**
   * Shows another credential, from now on; with none, only cookies. Starts a feed again that was
   * closed with 4401 or 403.
   */
  readonly setAuth: (token?: string) => void;
  /** Ends the feed. No handler is called after this. */
  readonly close: () => void;
}

/** A handler that may expect more of the event than is named here. */
type Handler<E> = { handle(event: E): unknown }['handle'] | null;

/** The part of a WebSocket that a feed needs. The browsers' and that of the package `ws` have it. */
export interface WebSocketLike {
  readonly readyState: number;
  onopen: Handler<unknown>;
  onmessage: Handler<{ data: unknown }>;
  onclose: Handler<{ code: number; reason: string }>;
  onerror: Handler<unknown>;
  send(text: string): void;
  close(): void;
}

/** The part of `navigator.locks` that a shared feed needs. */
export interface LocksLike {
  request(
    name: string,
    options: { signal: AbortSignal },
    held: () => Promise<unknown>,
  ): Promise<unknown>;
}
