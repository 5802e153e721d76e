//! One suite for both databases: every body runs on a SQLite file of its own and on a PostgreSQL database of its own.
//!
//! PostgreSQL is started from the Debian server binaries; where there are none this says so loudly, and fails with CI=true.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

#[path = "suite/bodies.rs"]
mod bodies;
#[path = "suite/erasure.rs"]
mod erasure;
#[path = "suite/given.rs"]
mod given;
#[path = "suite/ledger.rs"]
mod ledger;
#[path = "suite/place.rs"]
mod place;
#[path = "suite/postgres.rs"]
mod postgres;

use place::Place;

macro_rules! suite {
    ($($module:ident::$name:ident),* $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    crate::$module::$name(&crate::Place::sqlite()).await;
                }
            )*
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn on_postgresql() {
            let Some(server) = postgres::Server::start() else { return };
            $(
                eprintln!("PostgreSQL: {}", stringify!($name));
                $module::$name(&Place::postgres(&server, stringify!($name)).await).await;
            )*
        }
    };
}

suite! {
    bodies::a_report_is_applied_once,
    bodies::an_abandoned_report_is_applied_whole_or_not_at_all,
    bodies::reports_at_the_same_time_lose_nothing,
    bodies::windows_merge_filter_and_fold,
    bodies::a_bad_window_does_not_hold_up_the_spool,
    bodies::feedback_completes_a_sample,
    bodies::work_ends_once,
    bodies::curves_are_kept,
    bodies::agents_join_again,
    bodies::alerts_fire_once,
    bodies::analyses_are_a_history,
    bodies::news_wakes_and_bookkeeping_does_not,
    erasure::a_person_is_erased_and_stays_so,
    erasure::an_abandoned_erasure_is_whole_or_not_at_all,
    erasure::what_arrives_meanwhile_is_caught,
    erasure::replaced_blobs_are_followed,
    ledger::tampering_is_found,
    ledger::a_cut_tail_is_found_with_the_head,
    ledger::many_writers_keep_one_chain,
    ledger::queries_page_both_ways,
}
