//! What every backend must do, as one suite: [`store_contract!`](crate::store_contract) makes a
//! test of each case. Feature `testing`; the caller needs `tokio` with macros and threads.
//!
//! Each case gets a new, empty store. Two things are left to each backend's own tests, because
//! they cannot be brought about through the traits: a history that has expired, and a database
//! that is gone.

mod audit;
mod books;
mod carts;
mod concurrent;
mod dashboard;
mod deletions;
mod feed;
mod lists;
mod model;
mod moves;
mod orders;
mod people;
mod repeats;
mod samples;
mod search;
mod trail;

pub use audit::*;
pub use books::*;
pub use carts::*;
pub use concurrent::*;
pub use dashboard::*;
pub use deletions::*;
pub use feed::*;
pub use lists::*;
pub use model::*;
pub use moves::*;
pub use orders::*;
pub use people::*;
pub use repeats::*;
pub use search::*;
pub use trail::*;

/// Makes a test of each case of the contract, for the stores that an async expression makes.
///
/// ```
/// mod memory {
///     use std::sync::Arc;
///     use bookhub_core::{MemoryStore, Store, store_contract};
///
///     async fn empty_store() -> Arc<dyn Store> {
///         MemoryStore::shared()
///     }
///
///     store_contract!(empty_store().await);
/// }
/// ```
#[macro_export]
macro_rules! store_contract {
    ($store:expr) => {
        $crate::store_contract! { @ $store;
            a_book_is_read_as_it_was_written
            a_missing_book_is_none
            an_update_writes_content_and_counts_versions
            a_counted_stock_leaves_the_version
            a_stale_write_conflicts
            a_missing_book_cannot_be_written
            stock_moves_by_deltas_within_its_range
            a_deleted_book_is_gone
            an_isbn_belongs_to_one_book
            an_isbn_is_free_again_when_its_book_gives_it_up
            many_books_succeed_or_fail_one_by_one
            genres_are_counted_by_shelf
            what_is_soon_sold_out_is_found
            one_of_many_edits_of_a_version_wins
            moves_of_stock_all_count
            an_isbn_is_taken_once_however_many_try
            a_feed_under_load_is_complete_and_in_order
            a_page_and_the_feed_behind_it_make_the_present
            changes_are_fed_in_order_and_once
            a_reader_goes_on_from_any_position
            a_waiting_reader_hears_of_the_next_change
            a_failed_write_is_not_fed
            the_epoch_stays
            every_query_is_answered_as_defined
            a_cursor_outlives_its_book
            a_walk_meets_every_lasting_book_once
            a_walk_survives_changes_of_other_keys
            books_are_found_by_what_people_type
            a_search_follows_every_change
            a_username_belongs_to_one_account
            an_email_address_belongs_to_one_account
            an_account_is_updated_from_its_current_version
            a_change_of_role_is_fed
            accounts_are_listed_by_their_names
            accounts_are_counted
            a_role_is_given_and_taken
            one_admin_stays
            a_deleted_account_is_gone_with_what_was_its_own
            an_account_is_deleted_once
            one_admin_stays_whoever_is_deleted
            a_session_lasts_until_it_is_ended
            all_sessions_but_one_can_be_ended
            expired_sessions_can_be_forgotten
            an_order_takes_its_copies_and_freezes_prices
            an_order_takes_all_copies_or_none
            a_price_that_changed_is_told_first
            the_last_copies_are_sold_once_each
            orders_are_listed_newest_first
            every_order_is_found_once
            a_cancelled_order_puts_its_copies_back_once
            an_order_moves_along_its_statuses
            an_order_outlives_its_books
            orders_and_their_books_are_fed
            a_count_amid_orders_counts_each_once
            an_idle_store_has_nothing_to_settle
            a_repeat_gets_the_order_as_it_was_placed
            a_repeat_gets_the_same_refusal
            a_key_is_not_used_for_something_else
            keys_of_different_users_never_meet
            a_key_is_forgotten_after_its_lifetime
            repeats_at_once_place_one_order
            a_cart_is_kept_as_it_was_put
            a_merge_keeps_the_greater_number_of_each_book
            merges_at_once_all_count
            carts_are_not_fed
            books_are_found_by_their_ids
            books_are_found_by_their_isbns
            an_entry_is_read_as_it_was_confirmed
            what_is_not_confirmed_is_unknown
            entries_are_found_by_who_did_what_to_what
            each_change_is_in_the_trail_once
            many_books_are_in_the_trail
            what_is_done_to_people_and_orders_is_told
            the_trail_is_not_fed
            any_list_of_operations_does_what_it_does_to_a_plain_list
        }
    };
    (@ $store:expr; $($case:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::$case($store).await;
            }
        )*
    };
}
