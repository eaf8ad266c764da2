// What passes from a connection to the applications that listen to it, in one tab or several.

import type { FeedEvent, FeedState, Resync } from './types.js';

/** Everything visible up to `id` has come, the event with it; the step before ended at `prev`. */
export interface Step {
  readonly prev: string | undefined;
  readonly id: string;
  readonly event?: FeedEvent | undefined;
}

/** One thing that a connection has to tell. */
export type News = { readonly step: Step } | { readonly resync: Resync } | { readonly state: FeedState };
